import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, startMachine, text } from "./support/machine.ts";
import { isAlive } from "./support/process.ts";

/** Guests that take all they can get: each costs its own turn, and the machine or its successor goes on. */

describe("a guest that ends itself is told as GUEST_DIED, at once, and its process is gone:", () => {
  test.each([
    ["panic", "echo c >/proc/sysrq-trigger", /panicked \(sysrq triggered crash\)/],
    ["halt", "busybox halt -f", /halted/],
    ["power off", "echo o >/proc/sysrq-trigger", /powered itself off|halted/],
    ["reboot", "busybox reboot -f", /rebooted/],
    ["reset", "echo b >/proc/sysrq-trigger", /rebooted/],
  ])("%s", async (_name, command, reason) => {
    const machine = await startMachine();
    const { pid } = machine;
    try {
      let heard = "";
      const dying = machine.exec(`echo before; sleep 0.2; ${command}; sleep 100; echo after`, {
        onStdout: (chunk) => {
          heard += text(chunk);
        },
      });
      const waiting = machine.readFile("/etc/hostname");
      const dead = { code: "GUEST_DIED", message: expect.stringMatching(reason) };
      await expect(dying).rejects.toMatchObject(dead);
      await expect(waiting).rejects.toMatchObject(dead);
      expect(heard).toBe("before\n");
      expect(machine.isDead).toBe(true);
      await expect(machine.exec("echo next")).rejects.toMatchObject(dead);
      await expect(machine.reset()).rejects.toMatchObject(dead);
      await expect.poll(() => isAlive(pid)).toBe(false);
    } finally {
      await machine.stop();
    }
  });
});

describe("a guest that", () => {
  const MIB = 1 << 20;
  const quota = { bytes: 24 * MIB, inodes: 600 };
  let machine: Machine;

  beforeAll(async () => {
    machine = await startMachine({ parameters: { quota } });
  });
  afterAll(() => machine.stop());
  beforeEach(() => machine.reset());

  test("fills its memory has what does so killed, and nothing else", async () => {
    await run(machine, "sleep 1001 & x=1");
    const outcome = await run(
      machine,
      "python3 -c 'a = []\nwhile True: a.append(bytearray(1 << 20))'; echo $?",
    );
    expect(outcome).toMatchObject({ exitCode: 0, out: "137\n", err: /Killed/ });
    expect(await output(machine, "echo $x; ps -o args= -C sleep")).toBe("1\nsleep 1001\n");
  });

  test("fills its memory from the shell itself has a new one", async () => {
    // Bytes, which bash copies faster than characters, though it takes seconds for each doubling: half is there before.
    const filler =
      "head -c 90M /dev/zero >/dev/shm/half; LC_ALL=C; printf -v a '%4194304s'; while :; do a=$a$a; done";
    const outcome = await run(machine, filler);
    expect(outcome).toMatchObject({ exitCode: 137, signal: "SIGKILL", timedOut: false });
    expect(await output(machine, "rm /dev/shm/half; echo fine")).toBe("fine\n");
  });

  test("fills its temporary memory is told so, and goes on", async () => {
    const { err } = await run(machine, "head -c 300M /dev/zero >/dev/shm/big; rm /dev/shm/big");
    expect(err).toMatch(/No space left on device/);
    expect(await output(machine, "echo fine")).toBe("fine\n");
  });

  /** Without the kernel's threads, which come and go. */
  const programs = "ps --deselect --ppid 2 --pid 2 -o stat=";
  const living = `${programs} | grep -vc Z`;
  const bombs = {
    "that ignores the end of its turn": "b() { b | b & }; b; sleep 100",
    "of its own processes": "python3 $MOM_TURN/main.py",
  };
  const files = {
    "main.py": bytes("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"),
  };

  test.each(Object.entries(bombs))(
    "runs a fork bomb %s is rid of it with the turn",
    async (_name, bomb) => {
      await run(machine, "sleep 1001 & x=1");
      const before = Number(await output(machine, living));
      expect(await run(machine, bomb, { files, timeoutMs: 2_000 })).toMatchObject({
        timedOut: true,
      });
      await expect
        .poll(async () => Number(await output(machine, living)), {
          timeout: 60_000,
        })
        .toBe(before);
      expect(await output(machine, "echo $x; ps -o args= -C sleep")).toBe("1\nsleep 1001\n");
    },
  );

  test("leaves a fork bomb behind has its next turns run, and the next sandbox is clean", async () => {
    await run(machine, "b() { b | b & }; (b) >/dev/null 2>&1 & sleep 1");
    const next = await run(machine, "echo next; echo 1 >/tmp/f; python3 -c 'print(1 + 1)'");
    expect(next).toMatchObject({ out: "next\n2\n", exitCode: 0 });
    expect(text(await machine.readFile("/tmp/f"))).toBe("1\n");
    const state = await machine.save();
    await machine.reset();
    expect(await output(machine, `${programs} | grep -c R`)).toBe("1\n");
    await machine.load(state);
    expect(await output(machine, "cat /tmp/f")).toBe("1\n");
  });

  test("fills its disk is told so by the write itself; df shows the quota, and what is removed is free again", async () => {
    const filled = await run(
      machine,
      "dd if=/dev/urandom of=/tmp/big bs=1M count=18 2>/dev/null; head -c 22M /dev/urandom >>/tmp/big; echo $?; stat -c %s /tmp/big",
    );
    expect(filled.err).toMatch(/No space left on device/);
    const [status, size] = filled.out.split("\n").map(Number);
    expect(status).toBe(1);
    // The base has files of its own.
    expect(size).toBeGreaterThan(quota.bytes - 4 * MIB);
    expect(size).toBeLessThanOrEqual(quota.bytes);
    expect(await output(machine, "df -m --output=size,avail / | tail -n 1")).toMatch(/^ *24 +0\n$/);
    expect((await run(machine, "echo more >/tmp/more")).err).toMatch(/No space left on device/);
    await expect(machine.writeFile("/tmp/other", new Uint8Array(MIB))).rejects.toMatchObject({
      code: "FILE_FAILED",
      message: expect.stringMatching(/No space left on device/),
    });
    // What was told as written is there: nothing was lost without a word.
    await output(machine, "echo 3 >/proc/sys/vm/drop_caches");
    expect(Number(await output(machine, "wc -c </tmp/big"))).toBe(size);
    expect(
      await output(
        machine,
        "rm /tmp/*; echo fits >/tmp/f; cat /tmp/f; df -m --output=avail / | tail -n 1",
      ),
    ).toMatch(/^fits\n *2[0-4]\n$/);
  });

  test("makes too many files is told so, and goes on when they are gone", async () => {
    const filled = await run(
      machine,
      "mkdir /tmp/d; for i in {1..1000}; do : >/tmp/d/$i || break; done; ls /tmp/d | wc -l",
    );
    expect(filled.err).toMatch(/No space left on device/);
    expect(Number(filled.out)).toBeGreaterThan(500);
    expect(Number(filled.out)).toBeLessThan(quota.inodes);
    expect(await output(machine, "df --output=iavail / | tail -n 1")).toMatch(/^ *0\n$/);
    expect(await output(machine, "rm -r /tmp/d; echo fits >/tmp/f; cat /tmp/f")).toBe("fits\n");
  });
});
