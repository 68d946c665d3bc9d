import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorker } from "../../workers/worker.ts";
import { Harness } from "./harness.ts";

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});
afterAll(() => harness.close());

function start(slack: Partial<Harness["config"]["slack"]>) {
  const { config, logger } = harness;
  const startMachine = () => harness.startMachine();
  return startWorker({
    config: { ...config, slack: { ...config.slack, ...slack } },
    logger,
    startMachine,
  });
}

test("a worker whose token Slack refuses does not start, and says what to do", async () => {
  await expect(start({ botToken: "xoxb-wrong" })).rejects.toMatchObject({
    code: "SLACK_REFUSED",
    message: expect.stringContaining("Slack refuses SLACK_BOT_TOKEN (invalid_auth)"),
  });
  expect(harness.machines).toEqual([]);
});

test("without Slack at its address it does not start, and names the address", async () => {
  const apiUrl = `http://127.0.0.1:${await closedPort()}/api/`;
  await expect(start({ apiUrl })).rejects.toMatchObject({
    code: "SLACK_UNREACHABLE",
    message: `Slack at ${apiUrl} cannot be used (ECONNREFUSED): look at the network, or at SLACK_API_URL.`,
  });
});

test("a Slack that is busy for a moment is waited for", async () => {
  harness.slack.faults.add({ kind: "http-status", method: "auth.test", times: 2 });
  const worker = await start({});
  await worker.close({ deadlineMs: 0 });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
