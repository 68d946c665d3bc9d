import { expect, onTestFinished, test } from "vitest";
import type { NetworkParameters } from "../../workers/machine/messages.ts";
import { output, startMachine } from "../machine/support/machine.ts";
import { startServers } from "./support/local-servers.ts";

test("v86's own network carries HTTP to what the policy allows, and nothing else", async () => {
  const servers = await startServers();
  onTestFinished(() => servers.close());
  const network: NetworkParameters = {
    backend: "fetch",
    rules: "allow any",
    hostPorts: [servers.http],
    limits: {},
  };
  const machine = await startMachine({ parameters: { network } });
  onTestFinished(() => machine.stop());
  const get = (host: string) => output(machine, `curl -sS -m 60 http://${host}`);
  expect(await get(`${servers.http}.external/hello`)).toBe("hello from the host\n");
  expect(await get(`${servers.https}.external/hello`)).toMatch(/that is not listed/);
  expect(await get("192.168.1.1/")).toMatch(/private/);
  expect(await get("169.254.169.254/")).toMatch(/metadata/);
  await expect(machine.publishSocket(80)).rejects.toMatchObject({ code: "NO_WAY_IN" });
});
