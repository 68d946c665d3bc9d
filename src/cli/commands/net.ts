import { type Command, Option } from "commander";
import type { Explanation } from "../../../relay/index.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";
import { parseTarget, type Target } from "../net/addresses.ts";
import { collected, portNumber } from "../options.ts";

interface ExplainOptions {
  policy?: string;
  hostPort: number[];
  protocol: "tcp" | "udp";
  json?: true;
}

export function registerNet(program: Command, context: CliContext): void {
  const net = program.command("net").description("Ask what a guest's network lets through");
  withExamples(net, "net explain deb.debian.org:80");
  const explain = net
    .command("explain")
    .description("Say whether a guest may connect to an address or a name, and by which rule")
    .argument(
      "<host:port>",
      "a name, which is looked up, or an address in any spelling",
      parseTarget,
    )
    .option("--policy <name>", "internet, none or a file of rules; else MOM_NET_POLICY")
    .option(
      "--host-port <port>",
      "as if this port of the computer were open at 10.0.2.2 (may be repeated)",
      collected(portNumber),
      [],
    )
    .addOption(
      new Option("--protocol <name>", "what the guest would use")
        .choices(["tcp", "udp"])
        .default("tcp"),
    )
    .option("--json", "print a JSON object")
    .addHelpText("after", "\nEnds with 0 when it is open, with 1 when it is closed.")
    .action((target: Target, options: ExplainOptions) => explainTarget(context, target, options));
  withExamples(
    explain,
    "net explain deb.debian.org:80",
    "net explain 0x7f.1:6379",
    "net explain --policy rules.txt --json registry.example.org:443",
  );
}

async function explainTarget(
  context: CliContext,
  { host, port }: Target,
  options: ExplainOptions,
): Promise<void> {
  const { namedPolicy } = await import("../net/policy.ts");
  const { networkConfig } = await import("../../config/index.ts");
  const set = networkConfig(context.env);
  const hostPorts = options.hostPort.length > 0 ? options.hostPort : set.hostPorts;
  const policy = namedPolicy(options.policy ?? set.policy, hostPorts);
  const { nodeHost, Relay } = await import("../../../relay/index.ts");
  const relay = new Relay({
    host: nodeHost({ nameServers: set.nameServers }),
    policy,
    send: () => {},
  });
  const explanation = await relay.explain(host, port, options.protocol);
  relay.close();
  const text = options.json ? JSON.stringify(explanation, null, 2) : asText(explanation);
  context.stdout.write(`${text}\n`);
  context.exitWith(explanation.verdict === "allow" ? 0 : 1);
}

function asText({ host, port, verdict, addresses, why }: Explanation): string {
  const title = `${host}:${port} is ${verdict === "allow" ? "open" : "closed"}.`;
  if (addresses.length === 0) return `${title} ${why}`;
  return [title, ...addresses.map((each) => `  ${each.address}: ${each.why}`)].join("\n");
}
