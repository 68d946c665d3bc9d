import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, sharedMachine, text } from "./support/machine.ts";

/** What goes into a turn and comes out of it: every byte, and nothing else. */

const SIZE = 4_000_000;
let machine: Machine;
let console = "";

beforeAll(async () => {
  machine = await sharedMachine({
    onConsole: (part) => {
      console += part;
    },
  });
});
beforeEach(() => machine.reset());

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe("output", () => {
  test("has all bytes, on both streams, and no newline that was not printed", async () => {
    const all = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index & 255));
    const python = "import sys; b = bytes(range(256)) * 256";
    const result = await machine.exec(
      `python3 -c '${python}; sys.stdout.buffer.write(b); sys.stderr.buffer.write(b[::-1])'; printf end`,
    );
    expect(result.exitCode).toBe(0);
    expect(Buffer.concat([all, bytes("end")]).equals(result.stdout)).toBe(true);
    expect(Buffer.from(all).reverse().equals(result.stderr)).toBe(true);
  });

  test("4 MB of random bytes arrive, equal by hash", async () => {
    const result = await machine.exec(
      `head -c ${SIZE} /dev/urandom >/tmp/r; cat /tmp/r; sha256sum </tmp/r >&2`,
    );
    expect(result.stdout).toHaveLength(SIZE);
    expect(text(result.stderr).slice(0, 64)).toBe(sha256(result.stdout));
  });

  test("comes while the command runs, each stream to its listener", async () => {
    const heard: string[] = [];
    let isOver = false;
    const running = run(machine, "echo one; read x; echo two >&2; read x; echo three", {
      stdin: (async function* () {
        for (const word of ["out one\n", "err two\n"]) {
          while (heard.at(-1) !== word) await sleep(5);
          expect(isOver).toBe(false);
          yield bytes("go on\n");
        }
      })(),
      onStdout: (chunk) => heard.push(`out ${text(chunk)}`),
      onStderr: (chunk) => heard.push(`err ${text(chunk)}`),
    });
    expect(await running).toMatchObject({ out: "one\nthree\n", err: "two\n", exitCode: 0 });
    isOver = true;
    expect(heard).toEqual(["out one\n", "err two\n", "out three\n"]);
  });

  test("of a program that outlives its turn does not get into a later one", async () => {
    await run(machine, "(sleep 0.7; echo late; echo late >&2) & echo now");
    expect(await run(machine, "sleep 1.5; echo next")).toMatchObject({ out: "next\n", err: "" });
  });
});

describe("a turn that writes what the machine says to itself changes nothing:", () => {
  test("in its output", async () => {
    const framing = "0 /\\n7 -\\n8 stdin\\n\\0\\033[2J\\r\\n137 /root\\n";
    const { exitCode, out } = await run(machine, `printf '${framing}'; exit 3`);
    expect({ exitCode, out }).toEqual({
      exitCode: 3,
      out: "0 /\n7 -\n8 stdin\n\0\x1b[2J\r\n137 /root\n",
    });
  });

  test("into the files of other turns", async () => {
    const { exitCode, out } = await run(
      machine,
      `n=\${MOM_TURN##*/}
      for f in 0 1 $((n - 1)) $((n + 1)) 999999; do
        for kind in end out err sh in attach swept; do
          (printf 0 >/run/mom/$f.$kind) 2>/dev/null && echo written $f.$kind
        done
      done
      touch /run/mom/x; mkdir /run/mom/y; rm $MOM_TURN.sh; mv $MOM_TURN.sh /run/mom/1.sh; ln $MOM_TURN.sh /run/mom/z
      echo x >>$MOM_TURN.sh; exit 4`,
    );
    expect({ exitCode, out }).toEqual({ exitCode: 4, out: "" });
    expect(await output(machine, "echo next")).toBe("next\n");
  });

  test("to the consoles", async () => {
    console = "";
    const { out, exitCode } = await run(
      machine,
      "printf '9 -\\n0 /\\nmom: text\\n' >/dev/console; echo '8 stdin' >/dev/ttyS0; echo 'reset 1 1' >/dev/ttyS1; echo fine",
    );
    expect({ out, exitCode }).toEqual({ out: "fine\n", exitCode: 0 });
    expect(await output(machine, "echo next")).toBe("next\n");
    expect(console).toContain("mom: text");
  });

  test.each(["printf 0 >$MOM_TURN.end", "stat /run/mom/end.0"])(
    "to its own end: that ends the turn early, and the next one runs as it should: %s",
    async (end) => {
      const forged = await run(machine, `${end} 2>/dev/null; sleep 1; echo late; exit 9`);
      expect(forged).toMatchObject({ exitCode: 0, out: "" });
      expect(await run(machine, "pwd; exit 4")).toMatchObject({ exitCode: 4, out: "/root\n" });
    },
  );
});

describe("standard input", () => {
  test("4 MB of random bytes go in and out, equal by hash", async () => {
    const data = randomBytes(SIZE);
    const result = await machine.exec("cat", { stdin: data });
    expect(sha256(result.stdout)).toBe(sha256(data));
  });

  test("is at its end from the start, where none is given or it is empty", async () => {
    expect(await output(machine, "cat; echo $?")).toBe("0\n");
    expect(await output(machine, "cat; echo $?", { stdin: new Uint8Array(0) })).toBe("0\n");
  });

  test("need not be read to its end, or at all", async () => {
    const data = randomBytes(SIZE);
    const part = await machine.exec("head -c 5", { stdin: data });
    expect(Buffer.from(part.stdout).equals(data.subarray(0, 5))).toBe(true);
    expect(await output(machine, "echo unread", { stdin: data })).toBe("unread\n");
    expect(await output(machine, "cat", { stdin: bytes("of this turn") })).toBe("of this turn");
  });

  test("that never ends does not hold up a turn that does not wait for it", async () => {
    let isReleased = false;
    async function* endless() {
      try {
        for (;;) {
          yield bytes("y\n");
          await sleep(1);
        }
      } finally {
        isReleased = true;
      }
    }
    expect(await output(machine, "head -n 2", { stdin: endless() })).toBe("y\ny\n");
    await expect.poll(() => isReleased).toBe(true);
  });

  test("ends where its source fails", async () => {
    async function* failing() {
      yield bytes("one\n");
      throw new Error("the source is gone");
    }
    expect(await output(machine, "cat; echo end", { stdin: failing() })).toBe("one\nend\n");
  });
});

describe("files that come with a turn", () => {
  test("are $MOM_TURN/NAME, and are gone with it", async () => {
    const all = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index & 255));
    const files = { "a b.bin": all, "é'\"$x": bytes("odd") };
    const out = await output(
      machine,
      'sha256sum <"$MOM_TURN/a b.bin"; ls "$MOM_TURN"; cat "$MOM_TURN/"é*; dir=$MOM_TURN',
      { files },
    );
    expect(out).toBe(`${sha256(all)}  -\na b.bin\né'"$x\nodd`);
    expect(await run(machine, "ls $dir $MOM_TURN")).toMatchObject({
      out: expect.not.stringContaining("a b"),
    });
  });

  test("are run by Python and Node.js as scripts of that name", async () => {
    const files = {
      "main.py": bytes("import sys\nprint(2**70, sys.stdin.read())\nsys.exit(3)"),
      "main.js": bytes("console.log([1, 2].map((x) => x * 2)); process.exitCode = 4;"),
    };
    const python = await run(machine, "python3 $MOM_TURN/main.py", { files, stdin: bytes("in") });
    expect(python).toMatchObject({ out: "1180591620717411303424 in\n", exitCode: 3 });
    const js = await run(machine, "node $MOM_TURN/main.js", { files });
    expect(js).toMatchObject({ out: "[ 2, 4 ]\n", exitCode: 4 });
  });
});
