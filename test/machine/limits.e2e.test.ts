import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, type Outcome, output, run, sharedMachine, text } from "./support/machine.ts";

/** How a turn is ended that does not end by itself: SIGINT, then SIGKILL to all that it started. */

let machine: Machine;

beforeAll(async () => {
  machine = await sharedMachine();
});
beforeEach(() => machine.reset());

/** Command lines that run in the guest, of the programs named. */
async function running(...programs: string[]): Promise<string[]> {
  const { out } = await run(machine, `ps -ww -o stat=,args= -C ${programs.join(",")}`);
  return out
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("Z"))
    .map((line) => line.replace(/^\S+\s+/, ""))
    .sort();
}

const ended = { exitCode: null, failed: true, files: [] };
const timedOut = { ...ended, timedOut: true, isCanceled: false, isMaxBuffer: false };
const canceled = { ...ended, timedOut: false, isCanceled: true, isMaxBuffer: false };
const isMaxBuffer = { ...ended, timedOut: false, isCanceled: false, isMaxBuffer: true };

/** Cancel a turn half a second after the first that it prints: by then what it started last is up. */
function cutShort(command: string, files = {}): Promise<Outcome> {
  const controller = new AbortController();
  return run(machine, command, {
    files,
    signal: controller.signal,
    onStdout: () => void setTimeout(() => controller.abort(), 500),
  });
}

/** In the background of an earlier turn: one as bash starts it, and one that has left the session. */
const earlierJobs = "sleep 501 & setsid -f sleep 502";
const earlierAlive = ["sleep 501", "sleep 502"];

describe("a turn over its time", () => {
  test("is interrupted; what it printed is told, and the shell knows what it knew", async () => {
    await run(machine, `${earlierJobs}; cd /tmp; x=1`);
    const { durationMs, ...outcome } = await run(
      machine,
      "x=2; echo out; echo err >&2; sleep 100; echo not reached",
      { timeoutMs: 2_000 },
    );
    expect(outcome).toEqual({ ...timedOut, signal: "SIGINT", out: "out\n", err: "err\n" });
    expect(durationMs).toBeGreaterThan(1_990);
    expect(await output(machine, "echo $x; pwd")).toBe("2\n/tmp\n");
    expect(await running("sleep")).toEqual(earlierAlive);
  });

  test("takes its background jobs along, though they ignore SIGINT", async () => {
    await run(machine, earlierJobs);
    const outcome = await cutShort("sleep 601 & setsid -f sleep 602; echo begun; sleep 603");
    expect(outcome).toMatchObject({ ...canceled, signal: "SIGINT" });
    expect(await running("sleep")).toEqual(earlierAlive);
  });

  test("is killed with its whole tree where a program ignores SIGINT", async () => {
    await run(machine, `${earlierJobs}; x=1`);
    const python = [
      "import os, signal, time",
      "signal.signal(signal.SIGINT, signal.SIG_IGN)",
      'os.system("setsid -f sleep 601; (trap \\"\\" INT HUP TERM; sleep 602) &")',
      'print("begun", flush=True)',
      "time.sleep(100)",
    ].join("\n");
    const files = { "main.py": bytes(python) };
    const command = "x=2; python3 $MOM_TURN/main.py; echo not reached";
    const killed = { ...canceled, signal: "SIGKILL", out: "begun\n" };
    expect(await cutShort(command, files)).toMatchObject(killed);
    expect(await running("sleep", "python3")).toEqual(earlierAlive);
    expect(await output(machine, "echo $x")).toBe("2\n");
  });

  test("ends where the shell itself is busy or waits for input", async () => {
    const busy = await run(machine, "x=3; while :; do :; done", { timeoutMs: 1_000 });
    expect(busy).toMatchObject({ ...timedOut, signal: "SIGINT" });
    let isReleased = false;
    async function* never() {
      try {
        yield bytes("first\n");
        await sleep(300_000, undefined, { ref: false });
      } finally {
        isReleased = true;
      }
    }
    const waiting = await run(machine, "read a; echo $a; read b; cat", {
      timeoutMs: 1_000,
      stdin: never(),
    });
    expect(waiting).toMatchObject({ ...timedOut, signal: "SIGINT", out: "first\n" });
    expect(isReleased).toBe(false);
    expect(await output(machine, "echo $x")).toBe("3\n");
  });

  test.each([
    ["ignores SIGINT itself", "trap '' INT; while :; do :; done"],
    ["goes on with its script", "trap '' INT; while :; do sleep 100; done"],
    ["has stopped itself", "setsid -f sleep 601; kill -STOP $$"],
    ["has been told to do nothing", "set -n"],
  ])("costs the shell where that %s, and no earlier job", async (_name, command) => {
    await run(machine, `${earlierJobs}; cd /tmp; x=1`);
    expect(await run(machine, command, { timeoutMs: 1_000 })).toMatchObject({
      ...timedOut,
      signal: "SIGKILL",
    });
    expect(await run(machine, "pwd; echo $x; echo fine")).toMatchObject({
      out: "/root\n\nfine\n",
      exitCode: 0,
    });
    expect(await running("sleep")).toEqual(earlierAlive);
  });
});

describe("a turn that is cancelled", () => {
  test("ends like one over its time", async () => {
    const outcome = await cutShort("echo begun; sleep 100");
    expect(outcome).toMatchObject({ ...canceled, signal: "SIGINT", out: "begun\n" });
    expect(await running("sleep")).toEqual([]);
  });

  test("does not start, where that was before or while it waited", async () => {
    const before = await run(machine, "touch /tmp/ran", { signal: AbortSignal.abort() });
    expect(before).toMatchObject({ ...canceled, signal: null, out: "", durationMs: 0 });
    const controller = new AbortController();
    const first = run(machine, "sleep 1; echo first");
    const waiting = run(machine, "touch /tmp/ran", { signal: controller.signal });
    controller.abort();
    expect(await first).toMatchObject({ out: "first\n", isCanceled: false });
    expect(await waiting).toMatchObject({ ...canceled, signal: null });
    expect(await machine.listFiles("/tmp")).toEqual([]);
  });

  test("is not, where that comes when it is over", async () => {
    const controller = new AbortController();
    const done = await run(machine, "echo done", { signal: controller.signal });
    controller.abort();
    expect(done).toMatchObject({ out: "done\n", isCanceled: false });
    expect(await run(machine, "sleep 0.3; echo next")).toMatchObject({
      out: "next\n",
      exitCode: 0,
    });
  });
});

describe("a turn that prints too much", () => {
  test("is cut at the limit to the byte", async () => {
    const result = await machine.exec("yes | head -c 5M", { maxOutputBytes: 3 << 20 });
    expect(result).toMatchObject({ ...isMaxBuffer, signal: "SIGINT" });
    expect(result.stdout).toHaveLength(3 << 20);
    const lines = Buffer.from("y\n".repeat(3 << 19));
    expect(lines.equals(result.stdout)).toBe(true);
  });

  test("is measured by both streams together, and heard to the limit only", async () => {
    let heardBytes = 0;
    const hear = (chunk: Uint8Array) => {
      heardBytes += chunk.length;
    };
    const result = await machine.exec("while :; do echo out; echo error >&2; done", {
      maxOutputBytes: 1_001,
      onStdout: hear,
      onStderr: hear,
    });
    expect(result).toMatchObject(isMaxBuffer);
    expect(result.stdout.length + result.stderr.length).toBe(1_001);
    expect(heardBytes).toBe(1_001);
    expect(text(result.stdout)).toMatch(/^(out\n)+(o|ou|out)?$/);
    expect(text(result.stderr)).toMatch(/^(error\n)+(e|er|err|erro|error)?$/);
  });

  test("may print just as much as the limit", async () => {
    const options = { maxOutputBytes: 1_000 };
    expect(await run(machine, "head -c 1000 /dev/zero", options)).toMatchObject({ exitCode: 0 });
    expect(await run(machine, "head -c 1001 /dev/zero", options)).toMatchObject(isMaxBuffer);
    expect(await output(machine, "echo next")).toBe("next\n");
  });
});
