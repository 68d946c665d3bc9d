import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { ECHO_SERVER } from "../support/echo-server.ts";
import { testGuest } from "../support/guest.ts";
import { type DataFolder, dataFolderWith, mom, startMom } from "../support/mom.ts";

let data: DataFolder;
beforeAll(async () => {
  data = dataFolderWith(await testGuest());
});
afterAll(() => data.remove());

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("a server in the sandbox is reached from this computer while the command runs, and not after", async () => {
  const running = startMom(
    [
      ...["run", "--publish", "0:8000", "--publish", "0:8001", "--"],
      `mkdir www; cd www; head -c 3000000 /dev/urandom >file; echo "hash $(sha256sum <file)"
       busybox httpd -p 8000; echo listens; sleep 1000`,
    ],
    { env: data.env },
  );
  try {
    await running.says("listens");
    const [hash = ""] = /hash (\w+)/.exec(running.stdout())?.slice(1) ?? [];
    const [port, silent] = [...running.stderr().matchAll(/127\.0\.0\.1:(\d+) leads to port/g)].map(
      ([, text]) => Number(text),
    );
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/file`);
        return new Uint8Array(await answer.arrayBuffer());
      }),
    );
    expect(answers.map(sha256)).toEqual(answers.map(() => hash));
    const nobody = connect(Number(silent), "127.0.0.1");
    await expect(once(nobody, "end")).rejects.toThrow("ECONNRESET");
    running.child.kill("SIGINT");
    expect((await running.result).status).toBe(130);
    await expect(once(connect(Number(port), "127.0.0.1"), "connect")).rejects.toThrow(
      "ECONNREFUSED",
    );
  } finally {
    running.child.kill("SIGKILL");
  }
});

test("a WebSocket passes, and bytes go both ways for as long as it is open", async () => {
  const script = `cat >server.py <<'end'\n${ECHO_SERVER}\nend\npython3 server.py`;
  const running = startMom(["run", "--publish", "0:8000", "--", script], { env: data.env });
  try {
    await running.says(/:\d+ leads to port/);
    const [, port] = /:(\d+) leads to port/.exec(running.stderr()) ?? [];
    const socket = await vi.waitFor(
      async () => {
        const attempt = new WebSocket(`ws://127.0.0.1:${port}/`);
        await once(attempt, "open");
        return attempt;
      },
      { timeout: 60_000, interval: 500 },
    );
    const echoes: string[] = [];
    socket.on("message", (message) => echoes.push(String(message)));
    for (const text of ["one", "two", "three"]) socket.send(text);
    await expect
      .poll(() => echoes, { timeout: 20_000 })
      .toEqual(["echo one", "echo two", "echo three"]);
    socket.terminate();
  } finally {
    running.child.kill("SIGKILL");
  }
});

test("a port that is taken is told in a sentence, and nothing is run", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const args = ["run", "--publish", `${port}:80`, "--", "echo ran"];
  const { status, stdout, stderr } = await mom(args, { env: data.env });
  expect(stderr).toBe(
    `mom: The port 127.0.0.1:${port} of the host cannot be taken: another program listens there.\n`,
  );
  expect(String(stdout)).toBe("");
  expect(status).toBe(1);
  server.close();
});
