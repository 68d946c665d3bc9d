import type { Environment } from "./environment.ts";
import { readSettings } from "./settings.ts";

/** Where people reach the ports that threads expose. */
export interface ExposeConfig {
  listen: { host: string; port: number };
  /** Address without a name: what stands before its host is a port's name. No slash at the end. */
  url: string;
}

/** Settings of the proxy; `undefined` where ports cannot be exposed. Throws `ConfigError`. */
export function exposeConfig(env: Environment): ExposeConfig | undefined {
  const set = readSettings(env, ["MOM_EXPOSE_LISTEN", "MOM_EXPOSE_URL"]);
  const { MOM_EXPOSE_LISTEN: listen, MOM_EXPOSE_URL: url } = set;
  if (!listen) return undefined;
  return { listen, url: url ?? `http://localhost:${listen.port}` };
}

/**
 * The address of an exposed port.
 *
 * @example
 * exposedUrl({ url: "https://apps.example.org" }, "k3f…"); // "https://k3f….apps.example.org/"
 */
export function exposedUrl({ url }: Pick<ExposeConfig, "url">, name: string): string {
  const address = new URL(url);
  address.hostname = `${name}.${address.hostname}`;
  return address.href;
}
