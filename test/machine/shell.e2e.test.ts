import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, sharedMachine } from "./support/machine.ts";

/** The resident shell: what stays from turn to turn, and that nothing a turn does to it lasts. */

let machine: Machine;

beforeAll(async () => {
  machine = await sharedMachine();
});
beforeEach(() => machine.reset());

test("standard output and standard error are apart, and the exit status is told", async () => {
  const { durationMs, ...outcome } = await run(machine, "echo out; echo err >&2; exit 3");
  expect(outcome).toEqual({
    exitCode: 3,
    signal: null,
    out: "out\n",
    err: "err\n",
    failed: true,
    timedOut: false,
    isCanceled: false,
    isMaxBuffer: false,
    files: [],
  });
  expect(durationMs).toBeGreaterThan(0);
  expect(await run(machine, "true")).toMatchObject({ exitCode: 0, failed: false, signal: null });
});

test("directory, variables, functions, aliases, jobs and options stay for the next turn", async () => {
  await run(
    machine,
    `cd /usr/lib
    plain='it is' exported=1; export exported; declare -A map=([a b]=c); declare -i n=4
    greet() { echo "hi $1"; }
    alias say='echo said'
    sleep 1000 &
    job=$!; set -o pipefail; umask 027; exec 5>/tmp/five`,
  );
  const next = await run(
    machine,
    `pwd; echo "$plain \${map[a b]}"; n+=1; echo $n; bash -c 'echo $exported'; greet you; say so
    jobs %1; kill -0 $job && echo alive; false | true || echo pipefail; umask; echo five >&5; cat /tmp/five`,
  );
  expect(next.out.split("\n").map((line) => line.replace(/ {2,}/g, " "))).toEqual([
    "/usr/lib",
    "it is c",
    "5",
    "1",
    "hi you",
    "said so",
    "[1]+ Running sleep 1000 &",
    "alive",
    "pipefail",
    "0027",
    "five",
    "",
  ]);
  expect(next.err).toBe("");
});

const known = `cd /usr/lib; x='a  b
c'; declare -a list=(1 "2 3"); f() { echo f$1; }; g() { echo g; }; export -f g; alias ll='echo LL'
  umask 027; shopt -s nullglob; sleep 1000 & job=$!`;
const told = `pwd; echo "$x \${list[1]}"; f 1; bash -c g; ll; umask; shopt -q nullglob && echo nullglob
  kill -0 $job && echo alive; ps -o ppid= -p $job | tr -d ' '; echo $$`;

describe("the shell is back, with all that it knew, after", () => {
  test.each([
    ["exit 3", 3, /^$/],
    ["(exit 4); exit", 4, /^$/],
    ["set -e\nfalse\necho not reached", 1, /^$/],
    ["set -u; echo $nope; echo not reached", 1, /nope: unbound variable/],
    ["set -euo pipefail; false | true; echo not reached", 1, /^$/],
    [`echo \${nope:?is missing}; echo not reached`, 1, /nope: is missing/],
    ["f() { exit 9; }; f; echo not reached", 9, /^$/],
    ["kill -TERM $$; echo not reached", 143, /^$/],
    ["kill -HUP $$; echo not reached", 129, /^$/],
    ["kill -INT $$; echo not reached", 130, /^$/],
    ["trap '' INT; exit 5", 5, /^$/],
    ["break; echo not reached", 1, /^break, continue: only work in a loop\n$/],
    ["continue 3; echo not reached", 1, /^break, continue: only work in a loop\n$/],
    ["trap 'exit 7' EXIT; exit 2", 7, /^$/],
  ])("%s", async (command, exitCode, error) => {
    await run(machine, known);
    const shell = (await output(machine, "echo $$")).trim();
    const { out, err, ...outcome } = await run(machine, command);
    expect({ out, exitCode: outcome.exitCode }).toEqual({ out: "", exitCode });
    expect(err).toMatch(error);
    const after = await run(machine, `f() { echo f$1; }; ${told}`);
    expect(after.out.split("\n").slice(0, -3)).toEqual([
      "/usr/lib",
      "a  b",
      "c 2 3",
      "f1",
      "g",
      "LL",
      "0027",
      "nullglob",
      "alive",
    ]);
    // What it left in the background is still its child, or an orphan where it is another process.
    const [parent, pid] = after.out.trim().split("\n").slice(-2);
    expect([pid, "1"]).toContain(parent);
    expect(pid === shell).toBe(!command.includes("EXIT"));
    // Nothing of what ended it is left.
    expect((await run(machine, "false; echo $unset; echo on")).out).toBe("\non\n");
  });

  test("a syntax error", async () => {
    await run(machine, known);
    const { exitCode, err } = await run(machine, "echo before\nif then; (");
    expect(exitCode).toBe(2);
    expect(err).toMatch(/line 2: syntax error near unexpected token `then'/);
    expect(await output(machine, 'pwd; echo "$x"; ll')).toBe("/usr/lib\na  b\nc\nLL\n");
  });

  test("return, with its status", async () => {
    expect(await run(machine, "x=1; return 7; echo not reached")).toMatchObject({
      exitCode: 7,
      out: "",
    });
    expect(await output(machine, "echo $x")).toBe("1\n");
  });
});

describe("a new shell is there, in the home directory, after", () => {
  test.each([
    ["kill -9 $$", 137, "SIGKILL", ""],
    ["exec echo replaced", 0, null, "replaced\n"],
    ["exec sh -c 'exit 6'", 6, null, ""],
  ])("%s", async (command, exitCode, signal, out) => {
    // What an earlier `exit` wrote down is not what a shell that was killed much later knew.
    await run(machine, "stale=1; cd /usr; exit");
    await run(machine, "unset stale; fresh=1; cd /tmp; sleep 1000 & echo $! >/tmp/job");
    expect(await run(machine, command)).toMatchObject({ exitCode, signal, out });
    await machine.writeFile("where", bytes("here"));
    const next = await run(machine, 'pwd; echo "$stale$fresh"; cat where; kill -0 $(cat /tmp/job)');
    expect(next).toMatchObject({ out: "/root\n\nhere", exitCode: 0, err: "" });
  });
});

test("an EXIT trap runs at exit, once, and what it prints belongs to that turn", async () => {
  expect(await output(machine, "trap 'echo bye $x' EXIT; x=1; echo set")).toBe("set\n");
  expect(await output(machine, "trap -- 'echo bye for good' EXIT; echo again")).toBe("again\n");
  expect(await run(machine, "echo going; exit 5")).toMatchObject({
    exitCode: 5,
    out: "going\nbye for good\n",
  });
  expect(await run(machine, "exit 6")).toMatchObject({ exitCode: 6, out: "" });
  expect(await run(machine, "trap 'echo no' EXIT; trap - EXIT; exit 7")).toMatchObject({
    exitCode: 7,
    out: "",
  });
});

test("other traps work, and stay", async () => {
  expect(await output(machine, "trap 'echo got USR1' USR1; kill -USR1 $$")).toBe("got USR1\n");
  expect(await output(machine, "kill -USR1 $$")).toBe("got USR1\n");
});

test("functions and read-only variables named as the shell's own parts do not break it", async () => {
  await run(
    machine,
    "printf() { echo mine; }; read() { :; }; cd() { :; }; source() { :; }; exec() { :; }",
  );
  await run(machine, "readonly MOM_TURN; local() { :; }; export() { :; }; shift() { :; }");
  expect(await run(machine, "echo fine; exit 3")).toMatchObject({ out: "fine\n", exitCode: 3 });
  expect(await output(machine, "echo again; printf x")).toBe("again\nmine\n");
});

test("a turn that makes the shell's own variables read-only costs the shell, once", async () => {
  await run(machine, "readonly __mom_turn __mom_input __mom_on_exit", { timeoutMs: 5_000 });
  await run(machine, "echo perhaps", { timeoutMs: 5_000 });
  expect(await output(machine, "echo fine")).toBe("fine\n");
});

test("a turn finds no terminal, no input and a plain environment", async () => {
  const { out } = await run(machine, "tty; cat; (: </dev/tty) 2>&1; env -u _ -u OLDPWD | sort");
  expect(out).toMatch(/^not a tty\n.*\/dev\/tty: No such device or address\n/);
  expect(out.split("\n").slice(2, -1)).toEqual([
    "HOME=/root",
    "LANG=C.UTF-8",
    "LOGNAME=root",
    expect.stringMatching(/^MOM_TURN=\/run\/mom\/\d+$/),
    "PAGER=cat",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games",
    "PWD=/root",
    "SHELL=/bin/bash",
    "SHLVL=1",
    "TERM=dumb",
    "USER=root",
  ]);
});

test("calls that come while a command runs wait, and run in order", async () => {
  const order: string[] = [];
  const turn = async (name: string, command: string) => {
    const outcome = await run(machine, command);
    order.push(name);
    return outcome.out;
  };
  const results = await Promise.all([
    turn("a", "sleep 0.5; echo 1 >/tmp/seen; cat /tmp/seen"),
    machine.writeFile("/tmp/between", bytes("x")),
    turn("b", "echo 2 >>/tmp/seen; cat /tmp/seen /tmp/between"),
    turn("c", "exit 3"),
    turn("d", "echo 4 >>/tmp/seen; cat /tmp/seen"),
  ]);
  expect(results).toEqual(["1\n", undefined, "1\n2\nx", "", "1\n2\n4\n"]);
  expect(order).toEqual(["a", "b", "c", "d"]);
});
