import { type Command, Option } from "commander";
import { type CliContext, untilAborted } from "../context.ts";
import { CliError } from "../errors.ts";
import { withExamples } from "../help.ts";
import { isLoopback, type ListenAddress, parseListen, parseOrigin } from "../net/addresses.ts";
import { collected, portNumber, wholeNumber } from "../options.ts";

interface RelayCommandOptions {
  listen: ListenAddress;
  token?: string;
  origin: string[];
  policy?: string;
  hostPort: number[];
  maxClients: number;
}

export function registerRelay(program: Command, context: CliContext): void {
  const command = program
    .command("relay")
    .description("Serve the guests' network to any v86 over WebSocket, a network apart for each")
    .addOption(
      new Option("--listen <address>", "address and port of this computer; port 0 for any")
        .argParser(parseListen)
        .default({ address: "127.0.0.1", port: 8086 }, "127.0.0.1:8086"),
    )
    .option("--token <text>", "clients must give it as ?token=…; also MOM_RELAY_TOKEN")
    .option(
      "--origin <url>",
      "web pages of this origin may connect (may be repeated)",
      collected(parseOrigin),
      [],
    )
    .option(
      "--policy <name>",
      "what clients may reach: internet, none or a file; MOM_NET_POLICY without",
    )
    .option(
      "--host-port <port>",
      "clients reach this port of this computer at 10.0.2.2 (may be repeated)",
      collected(portNumber),
      [],
    )
    .option("--max-clients <number>", "how many at once", wholeNumber(1, 1024), 32)
    .addHelpText(
      "after",
      '\nIn v86: net_device: { type: "virtio", relay_url: "ws://127.0.0.1:8086/" }; the guest asks by DHCP.',
    )
    .action((options: RelayCommandOptions) => runRelay(context, options));
  withExamples(
    command,
    "relay",
    "relay --listen 0.0.0.0:8086 --token s3cret-word --policy rules.txt",
    "relay --origin https://example.org --max-clients 4",
  );
}

async function runRelay(context: CliContext, options: RelayCommandOptions): Promise<void> {
  const { readSettings } = await import("../../config/settings.ts");
  const env = { ...context.env, ...(options.token ? { MOM_RELAY_TOKEN: options.token } : {}) };
  const settings = readSettings(env, ["MOM_RELAY_TOKEN", "MOM_LOG_LEVEL"]);
  const token = settings.MOM_RELAY_TOKEN;
  if (token === undefined && !isLoopback(options.listen.address)) {
    throw new CliError(
      "USAGE",
      `Everybody who reaches ${options.listen.address} could use this computer's network: give --token, or listen on 127.0.0.1.`,
    );
  }
  const { networkWith, policyOf } = await import("../net/settings.ts");
  const network = networkWith(env, options);
  const { nodeHost, ping } = await import("../../../relay/index.ts");
  const { serveRelay } = await import("../../../relay/serve.ts");
  const { createLogger } = await import("../logger.ts");
  const { relayLog } = await import("../net/relay-log.ts");
  const server = await serveRelay({
    ...options.listen,
    ...(token === undefined ? {} : { token }),
    origins: options.origin,
    maxClients: options.maxClients,
    host: nodeHost({ nameServers: network.nameServers, ping }),
    relay: { policy: policyOf(network), limits: network.limits },
    onEvent: relayLog(createLogger(settings.MOM_LOG_LEVEL, env), () => performance.now()),
  });
  const url = `ws://${server.address}:${server.port}/`;
  context.stderr.write(`The relay is ready: ${url}${token === undefined ? "" : "?token=…"}\n`);
  context.tellParent({ event: "ready", url });
  await untilAborted(context.signal);
  await server.close();
}
