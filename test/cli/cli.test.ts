import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliContext } from "../../src/cli/context.ts";
import { createProgram } from "../../src/cli/program.ts";
import { mom } from "../support/mom.ts";
import { momHere } from "../support/mom-here.ts";

const root = resolve(import.meta.dirname, "../..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Nothing of this machine's settings, and no system programs in its PATH. */
function bare(env: Record<string, string> = {}) {
  return { PATH: folder, HOME: folder, MOM_DATA_DIR: folder, ...env };
}

/** `mom` in this process. */
const here = (args: readonly string[], env?: Record<string, string>) => momHere(args, bare(env));

/** `mom` as a process of its own. */
const apart = (args: readonly string[]) => mom(args, { env: bare() });

describe("help", () => {
  const context: CliContext = {
    root,
    argv: [],
    env: {},
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: new AbortController().signal,
    exitWith: () => undefined,
    tellParent: () => undefined,
  };
  const commands = below(createProgram(context));

  test.each(commands)(
    "mom %s has a description and an example that it understands",
    (path, command) => {
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.description()).not.toBe("");
      const examples = [...help.matchAll(/^ {2}\$ \.\/mom (.*)$/gm)].map(([, example]) => example);
      expect(examples.length).toBeGreaterThan(0);
      // The program's own examples are of its commands.
      for (const example of path === "" ? [] : examples)
        expect(example).toMatch(new RegExp(`^${path}`));
    },
  );

  test("mom --help names every command", async () => {
    const { stdout, status } = await apart(["--help"]);
    for (const [path] of commands) expect(String(stdout)).toContain(path.split(" ")[0]);
    expect(status).toBe(0);
  });

  test("without a command the help is an error", async () => {
    const { stderr, status } = await here([]);
    expect(stderr).toContain("Usage: mom");
    expect(status).toBe(2);
  });
});

describe("a wrong command line is exit status 2 and says what was meant", () => {
  test.each([
    [["dmeo"], "Did you mean demo?"],
    [["demo", "--prot", "1"], "Did you mean --port?"],
    [["demo", "--port", "70000"], "It must be a whole number from 0 to 65535."],
    [["demo", "--workers", "0"], "It must be a whole number from 1 to 64."],
    [["image", "bild"], "Did you mean build?"],
    [["test", "untis"], "unknown part 'untis'"],
    [["bench", "ehco"], "unknown bench 'ehco': one of resume, python-after-resume"],
    [["bench", "--runs", "0"], "It must be a whole number from 1 to 100."],
    [["status", "now"], "too many arguments"],
    [["run", "--publish", "80", "--", "ls"], "It must be HOST-PORT:GUEST-PORT, as in 8080:80."],
    [["run", "--publish", "localhost:80:80", "--", "ls"], "It must be HOST-PORT:GUEST-PORT"],
    [["shell", "--publish", "80:0"], "It must be HOST-PORT:GUEST-PORT"],
  ])("%j", async (args, said) => {
    const { status, stderr, stdout } = await here(args);
    expect(stderr).toContain(said);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});

// Redis is waited for, since it may be starting: by all who do at the same time.
describe("what is wrong with the machine or the settings is told in sentences, without a stack", {
  timeout: 30_000,
  concurrent: true,
}, () => {
  const tokens = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1" };
  test.each([
    ["no token", ["worker"], {}, "mom: SLACK_BOT_TOKEN is not set."],
    ["no place to listen on", ["proxy"], {}, "mom: MOM_EXPOSE_LISTEN is not set: give the"],
    [
      "no address of this host",
      ["proxy"],
      { MOM_EXPOSE_LISTEN: "localhost" },
      "mom: MOM_EXPOSE_LISTEN must be an address of this host and a port",
    ],
    ["no image", ["worker"], tokens, "mom: There is no image yet. Run: ./mom image build"],
    ["no image to verify", ["image", "verify"], {}, "mom: There is no image yet."],
    ["nothing to compare with", ["bench", "--compare", "/none"], {}, "mom: /none cannot be read"],
    ["a wrong setting", ["setup"], { MOM_MEMORY_MB: "lots" }, "mom: MOM_MEMORY_MB must be"],
    [
      "no Redis",
      ["status"],
      { REDIS_URL: "redis://127.0.0.1:1" },
      "mom: Redis at redis://127.0.0.1:1",
    ],
    [
      "no Redis",
      ["app"],
      { ...tokens, REDIS_URL: "redis://127.0.0.1:1", MOM_LOG_LEVEL: "fatal" },
      "mom: Redis at",
    ],
    ["an unreadable .env", ["status"], { MOM_ENV_FILE: "/" }, "mom: / cannot be read"],
  ])("%s: mom %j", async (_what, args, env, said) => {
    const { status, stderr } = await here(args, env);
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  });

  test("--verbose adds the stack", async () => {
    expect((await apart(["worker", "--verbose"])).stderr).toMatch(/^\s+at /m);
  });

  test("a secret in a setting is not repeated", async () => {
    const { stderr } = await here(["status"], { REDIS_URL: "redis://:hunter2@127.0.0.1:1" });
    expect(stderr).toContain("127.0.0.1:1");
    expect(stderr).not.toContain("hunter2");
  });
});

/** A command and all below it, each with what is typed to get there. */
function below(command: Command, path = ""): [string, Command][] {
  return [
    [path, command],
    ...command.commands.flatMap((child) => below(child, `${path} ${child.name()}`.trim())),
  ];
}
