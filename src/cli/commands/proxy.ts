import type { Command } from "commander";
import { type CliContext, untilAborted } from "../context.ts";
import { CliError } from "../errors.ts";
import { withExamples } from "../help.ts";

export function registerProxy(program: Command, context: CliContext): void {
  const command = program
    .command("proxy")
    .description("Run the proxy: it makes the ports that threads expose reachable over HTTP")
    .action(() => runProxy(context));
  withExamples(command, "proxy", "proxy >>proxy.log");
}

async function runProxy(context: CliContext): Promise<void> {
  const { env } = context;
  const { exposeConfig, queueConfig } = await import("../../config/index.ts");
  const { readSettings } = await import("../../config/settings.ts");
  const config = exposeConfig(env);
  if (!config) {
    throw new CliError(
      "MISSING",
      "MOM_EXPOSE_LISTEN is not set: give the address to listen on, such as 127.0.0.1:8090, to the proxy, the app and the workers.",
    );
  }
  const { createLogger } = await import("../logger.ts");
  const { TurnQueue } = await import("../../queue/index.ts");
  const { startProxy } = await import("../../proxy/index.ts");
  const log = createLogger(readSettings(env, ["MOM_LOG_LEVEL"]).MOM_LOG_LEVEL, env);
  const queue = new TurnQueue({ ...queueConfig(env), log });
  try {
    await queue.ready();
    await queue.prepare();
    const proxy = await startProxy({ config, queue, log });
    try {
      const { host } = config.listen;
      log.info({ host, port: proxy.port }, "exposed ports are reached here");
      context.tellParent({ event: "ready", url: `http://${urlHost(host)}:${proxy.port}` });
      await untilAborted(context.signal);
    } finally {
      await proxy.close();
    }
  } finally {
    await queue.close();
  }
}

function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
