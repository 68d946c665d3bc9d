import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";

// The launcher is run in a checkout of its own, with a PATH of its own in which `node` and `npm` are stand-ins:
// what matters is which it calls, when, and what it makes of their ends. Only `mom` itself is the real one.

const repository = resolve(import.meta.dirname, "../..");
let home: string;
let checkout: string;
let bin: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "mom-launcher-"));
  checkout = join(home, "checkout");
  bin = join(home, "bin");
  mkdirSync(join(checkout, "src", "cli"), { recursive: true });
  mkdirSync(bin);
  cpSync(join(repository, "mom"), join(checkout, "mom"));
  writeFileSync(join(checkout, "package-lock.json"), '{"lockfileVersion": 3}\n');
  writeFileSync(join(checkout, "src/cli/main.js"), "console.log('main', process.argv.slice(2))");
  for (const tool of [
    ..."sh basename cat cmp cp date dirname grep head mkdir mktemp mv readlink rm rmdir sleep".split(
      " ",
    ),
    ..."tail uname".split(" "),
  ]) {
    symlinkSync(execFileSync("which", [tool], { encoding: "utf8" }).trim(), join(bin, tool));
  }
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function launch(...args: string[]): ChildProcess & { outcome: Promise<Outcome> } {
  const child = spawn(join(checkout, "mom"), args, {
    cwd: home,
    env: { PATH: bin, HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const outcome = new Promise<Outcome>((settle) => {
    child.once("close", (status) => settle({ status, stdout, stderr }));
  });
  return Object.assign(child, { outcome });
}

function tool(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** A `node` of some version that can only tell it. */
const nodeThatSays = (version: string) => `echo v${version}`;

/** A `node` that Mom runs on: this very one. */
const goodNode = `exec ${process.execPath} "$@"`;

/**
 * An `npm` that brings a working Node.js and packages, writing down each call. `before` runs first.
 */
const npm = (before = "") => `
echo "$@" >>"${home}/npm-calls"
${before}
for package; do :; done
case "$package" in --*) mkdir -p "$3/node_modules"; exit ;; esac
mkdir -p "$3/node_modules/\${package%@*}/bin"
printf '#!/bin/sh\\nexec ${process.execPath} "$@"\\n' >"$3/node_modules/\${package%@*}/bin/node"
exec ${execFileSync("which", ["chmod"], { encoding: "utf8" }).trim()} +x "$3/node_modules/\${package%@*}/bin/node"
`;

function npmCalls(): string[] {
  const path = join(home, "npm-calls");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => (line.endsWith("--fetch-retry-maxtimeout=10000") ? "packages" : "node"));
}

const dataFolder = () => join(home, ".local/share/mom");

test("with an old Node.js it brings another one into the data folder and goes on with it", async () => {
  tool("node", nodeThatSays("20.20.2"));
  tool("npm", npm());
  const { status, stdout, stderr } = await launch("hello", "two words").outcome;
  expect(stderr).toContain("this machine has v20.20.2");
  expect(stdout).toBe("main [ 'hello', 'two words' ]\n");
  expect(status).toBe(0);
  expect(npmCalls()).toEqual(["node", "packages"]);
  const [version] = readdirSync(join(dataFolder(), "node")).filter((name) => !name.startsWith("."));
  expect(existsSync(join(dataFolder(), "node", String(version), "bin/node"))).toBe(true);
});

test("without any Node.js it brings one too", async () => {
  tool("npm", npm());
  const { status, stderr } = await launch().outcome;
  expect(stderr).toContain("this machine has none");
  expect(status).toBe(0);
});

test.each(["22.18.0", "23.6.1", "24.0.0", "26.3.1"])(
  "Node.js %s is new enough",
  async (version) => {
    tool("node", `[ "$1" = --version ] && echo v${version} && exit; ${goodNode}`);
    tool("npm", npm());
    expect((await launch().outcome).status).toBe(0);
    expect(npmCalls()).toEqual(["packages"]);
  },
);

test.each(["22.17.9", "23.5.0", "18.19.0", "0.1", "nonsense"])(
  "Node.js %s is not new enough",
  async (version) => {
    tool("node", nodeThatSays(version));
    tool("npm", npm());
    expect((await launch().outcome).status).toBe(0);
    expect(npmCalls()).toEqual(["node", "packages"]);
  },
);

test("the second start calls npm no more and says nothing", async () => {
  tool("node", nodeThatSays("20.20.2"));
  tool("npm", npm());
  await launch().outcome;
  const { stderr } = await launch().outcome;
  expect(stderr).toBe("");
  expect(npmCalls()).toEqual(["node", "packages"]);
});

test("a changed package-lock.json is installed again", async () => {
  tool("node", goodNode);
  tool("npm", npm());
  await launch().outcome;
  writeFileSync(join(checkout, "package-lock.json"), '{"lockfileVersion": 3, "packages": {}}\n');
  await launch().outcome;
  expect(npmCalls()).toEqual(["packages", "packages"]);
});

test("what an interrupted install has left is removed first, a whole one is brought up to date", async () => {
  tool("node", goodNode);
  tool("npm", npm());
  const file = join(checkout, "node_modules/half/package.json");
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "{}");
  await launch().outcome;
  expect(existsSync(file)).toBe(false);

  mkdirSync(join(file, ".."));
  writeFileSync(file, "{}");
  writeFileSync(join(checkout, "package-lock.json"), '{"lockfileVersion": 3, "packages": {}}\n');
  await launch().outcome;
  expect(existsSync(file)).toBe(true);
});

test("two starts at once install once", async () => {
  tool("node", nodeThatSays("20.20.2"));
  tool("npm", npm("sleep 0.5"));
  const outcomes = await Promise.all([launch("a").outcome, launch("b").outcome]);
  expect(outcomes.map(({ status }) => status)).toEqual([0, 0]);
  expect(npmCalls()).toEqual(["node", "packages"]);
  expect(outcomes.filter(({ stderr }) => stderr.includes("waiting"))).toHaveLength(1);
});

test("an interrupted install takes npm along, leaves no lock, and is done again", async () => {
  tool("node", goodNode);
  tool("npm", npm(`echo $$ >"${home}/npm-pid"; exec sleep 60`));
  const interrupted = launch();
  while (!existsSync(join(home, "npm-pid"))) await sleep(20);
  await sleep(50);
  interrupted.kill("SIGINT");
  expect((await interrupted.outcome).status).toBe(130);
  const npmPid = Number(readFileSync(join(home, "npm-pid"), "utf8"));
  expect(() => process.kill(npmPid, 0)).toThrow(/ESRCH/);
  expect(existsSync(join(checkout, ".install-lock"))).toBe(false);

  tool("npm", npm());
  expect((await launch().outcome).status).toBe(0);
  expect(npmCalls()).toEqual(["packages", "packages"]);
});

test("the lock of a launcher that was killed is broken", async () => {
  const dead = spawn("true");
  await new Promise((settle) => dead.once("exit", settle));
  mkdirSync(join(checkout, ".install-lock"));
  writeFileSync(join(checkout, ".install-lock/pids"), `${dead.pid}\n`);
  tool("node", goodNode);
  tool("npm", npm());
  expect((await launch().outcome).status).toBe(0);
  expect(existsSync(join(checkout, ".install-lock"))).toBe(false);
});

test("without npm it says what to install", async () => {
  tool("node", nodeThatSays("20.20.2"));
  const { status, stderr, stdout } = await launch().outcome;
  expect(stderr).toMatch(/^mom: npm is not installed, .*apt-get install npm.*\n$/);
  expect(stdout).toBe("");
  expect(status).toBe(1);
});

test("a registry that does not answer is named, with npm's words", async () => {
  tool("node", goodNode);
  tool("npm", "echo npm error code ECONNREFUSED; exit 1");
  const { status, stderr } = await launch().outcome;
  expect(stderr).toContain("npm error code ECONNREFUSED");
  expect(stderr).toContain("the npm registry did not answer");
  expect(status).toBe(1);
});

test("a Node.js from npm that does not run here is not kept", async () => {
  tool("node", nodeThatSays("20.20.2"));
  tool("npm", npm().replace(process.execPath, "/nonexistent"));
  const { status, stderr } = await launch().outcome;
  expect(stderr).toContain("does not run on this machine");
  expect(status).toBe(1);
  expect(readdirSync(join(dataFolder(), "node")).filter((name) => name !== ".lock")).toEqual([]);
});

test("a data folder that cannot be written is named", async () => {
  writeFileSync(join(home, ".local"), "in the way");
  tool("node", nodeThatSays("20.20.2"));
  tool("npm", npm());
  const { status, stderr } = await launch().outcome;
  expect(stderr).toContain("set MOM_DATA_DIR");
  expect(status).toBe(1);
});

test("it finds its checkout through symbolic links", async () => {
  tool("node", goodNode);
  tool("npm", npm());
  symlinkSync("../checkout/mom", join(bin, "mom"));
  symlinkSync(join(bin, "mom"), join(home, "mom-too"));
  const stdout = execFileSync(join(home, "mom-too"), ["x"], {
    env: { PATH: bin, HOME: home },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(stdout).toBe("main [ 'x' ]\n");
});
