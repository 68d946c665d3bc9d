import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { run, stream } from "../../images/process.ts";

const text = new TextDecoder();

/** True once no such process is there; a dead one that nobody waited for counts as gone when it is reaped. */
async function isGone(pid: string): Promise<boolean> {
  for (let tries = 0; tries < 200 && existsSync(`/proc/${pid}`); tries++) await sleep(25);
  return !existsSync(`/proc/${pid}`);
}

test("a tool's output comes back whole, binary as it is", async () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index);
  expect((await run("cat", [], { input: bytes })).equals(bytes)).toBe(true);
});

test("a tool that is missing is named with the command that brings it", async () => {
  await expect(run("mmdebstrap", [], { env: { PATH: "/nowhere" } })).rejects.toMatchObject({
    code: "TOOL_MISSING",
    message: "mmdebstrap is missing. On Debian: apt-get install mmdebstrap",
  });
});

test("a tool that fails is quoted with its status and last words", async () => {
  await expect(run("sh", ["-c", "echo because >&2; exit 7"])).rejects.toMatchObject({
    code: "BUILD_FAILED",
    message: "sh failed with status 7:\nbecause",
  });
});

test("an abort ends a tool with all its children", async () => {
  const controller = new AbortController();
  const output = stream("sh", ["-c", "sleep 600 & echo $!; wait"], { signal: controller.signal });
  const first = await output.next();
  const pid = text.decode(first.value).trim();
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  controller.abort();
  await expect(output.next()).rejects.toMatchObject({ code: "ABORTED" });
  expect(await isGone(pid)).toBe(true);
});

test("a reader that stops early ends the tool", async () => {
  let pid = "";
  for await (const chunk of stream("sh", ["-c", "echo $$; exec sleep 600"])) {
    pid = text.decode(chunk).trim();
    break;
  }
  expect(await isGone(pid)).toBe(true);
});

test("a signal that is aborted already starts nothing", async () => {
  const signal = AbortSignal.abort();
  await expect(run("mmdebstrap", [], { signal })).rejects.toMatchObject({ code: "ABORTED" });
});
