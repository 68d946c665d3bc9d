import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { testGuest } from "../support/guest.ts";
import { type DataFolder, dataFolderWith } from "../support/mom.ts";
import { familyOf, livingProcesses } from "./process-list.ts";

const root = resolve(import.meta.dirname, "../..");
const SHOWN_WITHIN_MS = 40_000;
let data: DataFolder;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  data = dataFolderWith(await testGuest());
});
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});
afterAll(() => data.remove());

interface Terminal {
  child: ChildProcess;
  /** The device, `/dev/pts/3`. */
  name: string;
  /** Of this computer, where one is published. */
  port: string;
  type(keys: string): void;
  /** Resolves once this has appeared behind all that was waited for before. */
  shows(what: RegExp): Promise<string>;
  ended: Promise<number | null>;
}

/** `mom shell` on a terminal of 31 lines and 101 columns, made by script(1), and a command behind it. */
async function openShell(behind = "exit $?", options = ""): Promise<Terminal> {
  const mom = `"${process.execPath}" "${join(root, "src/cli/main.js")}" shell ${options}`;
  const script = `tty; stty rows 31 cols 101; ${mom}; ${behind}`;
  const child = spawn(
    "script",
    ["--quiet", "--flush", "--return", "--command", script, "/dev/null"],
    {
      env: { ...process.env, ...data.env, MOM_ENV_FILE: "/dev/null", TERM: "xterm" },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  running.add(child);
  let unread = "";
  let look = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    unread += text;
    look();
  });
  const ended = new Promise<number | null>((settle) => child.once("exit", settle));
  const shows = (what: RegExp) =>
    new Promise<string>((settle, reject) => {
      const giveUp = () => reject(new Error(`${what} is not there: ${JSON.stringify(unread)}`));
      const timer = setTimeout(giveUp, SHOWN_WITHIN_MS);
      look = () => {
        const found = what.exec(unread);
        if (!found) return;
        clearTimeout(timer);
        look = () => {};
        unread = unread.slice(found.index + found[0].length);
        settle(found[1] ?? found[0]);
      };
      ended.then(giveUp);
      look();
    });
  const name = await shows(/^(\/dev\/\S+)/m);
  const port = await shows(/(?:127\.0\.0\.1:(\d+) leads to port[\s\S]*)?Ctrl-\] leaves/);
  await shows(/# /);
  return { child, name, port, type: (keys) => void child.stdin.write(keys), shows, ended };
}

test("a shell knows the terminal's size and its changes, takes Ctrl-C for the guest, and gives its status", async () => {
  const shell = await openShell();
  shell.type("stty size\r");
  await shell.shows(/^31 101\r$/m);

  execFileSync("stty", ["-F", shell.name, "rows", "44", "cols", "132"]);
  // The size travels beside the keys.
  shell.type("until [ \"$(stty size)\" = '44 132' ]; do sleep 0.1; done; echo resized\r");
  await shell.shows(/^resized\r$/m);

  // Not between two commands: there bash itself would be hit, in the middle of a fork.
  shell.type("sh -c 'echo beg\\un; exec sleep 1000'\r");
  await shell.shows(/^begun\r$/m);
  shell.type("\x03");
  await shell.shows(/\^C[\s\S]*# /);
  shell.type("echo status $?\r");
  await shell.shows(/^status 130\r$/m);

  shell.type("read -rp 'name? ' name; echo \"<$name>\"\r");
  await shell.shows(/^name\? /m);
  shell.type("Ada é\r");
  await shell.shows(/^<Ada é>\r$/m);

  shell.type("exit 7\r");
  expect(await shell.ended).toBe(7);
});

test("Ctrl-] leaves, with the terminal as it was and no process left", async () => {
  const shell = await openShell("echo left with $?; stty -a; read -r line; echo got $line");
  const family = familyOf(Number(shell.child.pid)).filter(({ command }) =>
    command.startsWith(process.execPath),
  );
  expect(family.length).toBeGreaterThanOrEqual(2);
  shell.type("sleep 1000\r");
  await shell.shows(/sleep 1000\r+\n/);
  shell.type("\x1d");
  await shell.shows(/^left with 0\r$/m);
  expect(await shell.shows(/(-?icanon)/)).toBe("icanon");
  expect(await shell.shows(/(-?echo\b)/)).toBe("echo");
  const left = livingProcesses().filter(({ pid }) => family.some((member) => member.pid === pid));
  expect(left).toEqual([]);
  shell.type("a line\r");
  await shell.shows(/^got a line\r$/m);
  expect(await shell.ended).toBe(0);
});

test("a server that is started in the shell is reached by a published port", async () => {
  const shell = await openShell(undefined, "--publish 0:8000");
  shell.type("echo from the shell >it; busybox httpd -p 8000; echo listen\\s\r");
  await shell.shows(/^listens\r$/m);
  const answer = await fetch(`http://127.0.0.1:${shell.port}/it`);
  expect(await answer.text()).toBe("from the shell\n");
  shell.type("exit\r");
  expect(await shell.ended).toBe(0);
});

test("a guest that dies ends the shell with a sentence and the terminal as it was", async () => {
  const shell = await openShell("echo left with $?; stty -a");
  shell.type("echo c > /proc/sysrq-trigger\r");
  await shell.shows(/mom: .*panicked/);
  await shell.shows(/^left with 1\r$/m);
  expect(await shell.shows(/(-?icanon)/)).toBe("icanon");
  expect(await shell.ended).toBe(0);
});

test("a terminal that is closed takes the shell and its machine along", async () => {
  const shell = await openShell();
  const family = familyOf(Number(shell.child.pid));
  shell.child.kill("SIGKILL");
  const isLeft = () =>
    livingProcesses().some(({ pid, command }) =>
      family.some((member) => member.pid === pid && member.command === command),
    );
  await expect.poll(isLeft, { timeout: 30_000 }).toBe(false);
});
