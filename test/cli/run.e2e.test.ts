import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testGuest } from "../support/guest.ts";
import { type DataFolder, dataFolderWith, type MomOptions, mom, startMom } from "../support/mom.ts";
import { familyOf, livingProcesses } from "./process-list.ts";

const MIB = 1024 * 1024;
let data: DataFolder;
let folder: string;

beforeAll(async () => {
  data = dataFolderWith(await testGuest());
  folder = mkdtempSync(join(tmpdir(), "mom-run-"));
});

afterAll(() => {
  data.remove();
  rmSync(folder, { recursive: true });
});

const run = (args: readonly string[], options: MomOptions = {}) =>
  mom(["run", ...args], { ...options, env: { ...data.env, ...options.env } });

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("both streams come apart, and the exit status is the command's", async () => {
  const { status, stdout, stderr } = await run(["--", "echo out; echo err >&2; exit 3"]);
  expect(stdout.toString()).toBe("out\n");
  expect(stderr).toBe("err\n");
  expect(status).toBe(3);
});

test("20 MB of random bytes go in, come out and are in the file that comes back, equal", async () => {
  const bytes = randomBytes(20 * MIB);
  const out = join(folder, "random");
  const command = ["--out", out, "--", "tee ~/out/bytes"];
  const { status, stdout } = await run(command, { stdin: bytes });
  const hash = sha256(bytes);
  expect([sha256(stdout), sha256(readFileSync(join(out, "bytes")))]).toEqual([hash, hash]);
  expect(status).toBe(0);
});

test("endless output is cut at the limit, which is said", async () => {
  const { status, stdout, stderr } = await run(["--", "yes | head -c 50M"]);
  expect(stdout.length).toBe(32 * MIB);
  expect(stdout.subarray(-4).toString()).toBe("y\ny\n");
  expect(stderr).toBe("mom: stopped at the output limit of 32 MB.\n");
  expect(status).toBe(125);
});

test("files go in under their names, and what is left in ~/out or attached comes back", async () => {
  const bytes = randomBytes(100_000);
  const input = join(folder, "it's a file.bin");
  writeFileSync(input, bytes);
  const out = join(folder, "results", "of this");
  const { status, stderr } = await run([
    ...["--file", input, "--out", out, "--"],
    "mkdir -p ~/out/deep/er && cp it* ~/out/deep/er/copy.bin && echo hi >/tmp/x.txt && attach /tmp/x.txt",
  ]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(sha256(readFileSync(join(out, "deep/er/copy.bin")))).toBe(sha256(bytes));
  expect(readFileSync(join(out, "x.txt"), "utf8")).toBe("hi\n");
});

test("names that a guest makes up stay in the folder and come back as they are", async () => {
  const out = join(folder, "hostile");
  const script = `
    mkdir -p ~/out/a && cd ~/out
    echo 1 >..x; echo 2 >"$(printf 'two\\nlines')"; echo 3 >' -rf *'; echo 4 >'C:\\x'; echo 5 >a/...
    echo 6 >"$(printf 'n%.0s' {1..255})"; echo 7 >é
    ln -s /etc/passwd link; ln -s / root; mkfifo pipe; ln a/... hard
    mkdir -p "/tmp/.. /x" && echo 8 >"/tmp/.. /x/y" && attach "/tmp/.. /x/y"`;
  const { status, stderr } = await run(["--out", out, "--", script]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const found = readdirSync(out, { recursive: true, encoding: "utf8" }).sort();
  const names = ["..x", "two\nlines", " -rf *", "C:\\x", "a", "a/...", "n".repeat(255), "é"];
  expect(found).toEqual([...names, "hard", "y"].sort());
  expect(readFileSync(join(out, "hard"), "utf8")).toBe("5\n");
});

test("files whose names are not UTF-8, or are the same, come back all of them", async () => {
  const out = join(folder, "bytes");
  const script = `
    mkdir -p ~/out /tmp/other && cd ~/out && echo 1 >"$(printf 'a\\377.b')"; echo 2 >"$(printf 'a\\376.b')"; echo 3 >z
    cd /tmp/other; echo 4 >z; echo 5 >"$(printf 'é\\303')"; attach z *`;
  const { status, stderr } = await run(["--out", out, "--", script]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const contents = readdirSync(out).map((name) => [name, readFileSync(join(out, name), "utf8")]);
  expect(Object.fromEntries(contents)).toEqual({
    "a\ufffd.b": "2\n",
    "a\ufffd-2.b": "1\n",
    z: "3\n",
    "z-2": "4\n",
    "é\ufffd": "5\n",
  });
});

test("--json prints one object, with bytes that are not text in base64", async () => {
  const script = `printf 'a\\377'; echo "$0, $1" >&2; mkdir -p ~/out; echo x >~/out/y; exit 4`;
  const { status, stdout, stderr } = await run([
    ...["--json", "--", "sh", "-c", script],
    ...["two words", "it's $HOME"],
  ]);
  expect(JSON.parse(stdout.toString())).toEqual({
    exitCode: 4,
    signal: null,
    stdout: "a\ufffd",
    stdoutBase64: Buffer.from("a\xff", "latin1").toString("base64"),
    stderr: "two words, it's $HOME\n",
    durationMs: expect.any(Number),
    timedOut: false,
    isCanceled: false,
    isMaxBuffer: false,
    files: [{ path: "/root/out/y", name: "y", size: 2 }],
  });
  expect(stderr).toBe("");
  expect(status).toBe(4);
});

test("a time-out ends the command and all it has started, with what it printed until then", async () => {
  const { status, stdout, stderr } = await run([
    ...["--timeout", "2", "--"],
    "echo before; trap '' INT TERM; (trap '' INT TERM; sleep 1000) & sleep 1000; wait",
  ]);
  expect(stdout.toString()).toBe("before\n");
  expect(stderr).toMatch(/^mom: stopped after 2 s, the time limit \(SIGKILL\)\.\n$/m);
  expect(status).toBe(124);
});

test("Ctrl-C ends it with 130 and leaves no process", async () => {
  const running = startMom(["run", "--", "echo begun; sleep 1000"], { env: data.env });
  await running.says("begun");
  const family = familyOf(Number(running.child.pid));
  expect(family.length).toBeGreaterThanOrEqual(2);
  running.child.kill("SIGINT");
  const { status, stderr } = await running.result;
  expect(stderr).toMatch(/^mom: stopped\.\n$/m);
  expect(status).toBe(130);
  await gone(family);
});

test("Ctrl-C while the machine starts ends it too", async () => {
  const running = startMom(["run", "--", "sleep 1000"], { env: data.env });
  while (familyOf(Number(running.child.pid)).length < 2) await sleep(10);
  const family = familyOf(Number(running.child.pid));
  running.child.kill("SIGINT");
  expect((await running.result).status).toBe(130);
  await gone(family);
});

test("its machine ends with it when it is killed", async () => {
  const running = startMom(["run", "--", "echo begun; sleep 1000"], { env: data.env });
  await running.says("begun");
  const family = familyOf(Number(running.child.pid));
  running.child.kill("SIGKILL");
  await running.result;
  await gone(family);
});

test("standard input that never ends keeps nothing waiting that does not read it", async () => {
  const running = startMom(["run", "--", "echo done"], { env: data.env, stdin: "open" });
  const { status, stdout } = await running.result;
  expect(stdout.toString()).toBe("done\n");
  expect(status).toBe(0);
});

test("a reader that goes away ends it", async () => {
  const running = startMom(["run", "--", "yes"], { env: data.env });
  await running.says("y\ny\n");
  running.child.stdout?.destroy();
  const { status } = await running.result;
  expect(status).not.toBe(0);
});

test("what cannot be done is said in one sentence before a machine is started", async () => {
  const missing = await run(["--file", join(folder, "none.csv"), "--", "ls"]);
  expect(missing.stderr).toBe(`mom: ${join(folder, "none.csv")} cannot be read (ENOENT).\n`);
  expect(missing.status).toBe(1);
  const empty = await run([]);
  expect(empty.stderr).toContain("There is no command: write it behind --");
  expect(empty.status).toBe(2);
});

test("mom shell without a terminal says what to use instead", async () => {
  const { status, stderr } = await mom(["shell"], { env: data.env });
  expect(stderr).toBe(
    "mom: A shell needs a terminal. To run one command, use: ./mom run -- COMMAND\n",
  );
  expect(status).toBe(2);
});

/** Waits until none of these processes runs; the test's own time limit ends it otherwise. */
async function gone(family: readonly { pid: number; command: string }[]): Promise<void> {
  const isLeft = () =>
    livingProcesses().some((entry) =>
      family.some(({ pid, command }) => entry.pid === pid && entry.command === command),
    );
  while (isLeft()) await sleep(50);
}
