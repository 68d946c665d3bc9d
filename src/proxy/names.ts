import type { IncomingMessage } from "node:http";

/**
 * The name before the domain in the `Host` of a request, as somebody claims it. A name that is none gives an
 * empty one, which is looked up like any other, so that all that are unknown are answered alike.
 *
 * @example
 * nameIn("abc.localhost:8090", "localhost"); // "abc"
 */
export function nameIn(host: string, domain: string): string {
  const withoutPort = host.toLowerCase().replace(/:\d{0,5}$/, "");
  const [, name = "", rest] = /^([a-z2-7]{1,63})\.(.*)$/.exec(withoutPort) ?? [];
  return rest === domain ? name : "";
}

/** The request's one `Host` (RFC 9112 section 3.2); `undefined` where there are several, or none. */
export function hostOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): string | undefined {
  const [host, another] = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() === "host" ? [rawHeaders[index + 1]] : [],
  );
  return another === undefined ? host : undefined;
}
