import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SandboxState } from "../../workers/machine/api.ts";
import type { Machine } from "../../workers/machine/machine.ts";
import { packState, unpackState } from "../../workers/machine/state-file.ts";
import { withOneBitFlipped } from "../support/flipped-bit.ts";
import { bytes, output, run, sharedMachine, startMachine, text } from "./support/machine.ts";

/** One machine, many sandboxes: each is exactly as it was left. */

let machine: Machine;

beforeAll(async () => {
  machine = await sharedMachine();
});
beforeEach(() => machine.reset());

/** Milliseconds that the guest's clock is off, by the shell's own word. */
async function clockErrorMs(): Promise<number> {
  const before = Date.now();
  const guest = Number(await output(machine, "echo $EPOCHREALTIME")) * 1_000;
  if (guest < before) return before - guest;
  return Math.max(0, guest - Date.now());
}

test("threads that take turns on one machine have their own directory, variables, files and programs", async () => {
  const states: Record<string, SandboxState> = {};
  const names = ["a", "b", "c"];
  const turn = async (name: string, command: string): Promise<string> => {
    const state = states[name];
    await (state === undefined ? machine.reset() : machine.load(state));
    const out = await output(machine, command);
    states[name] = await machine.save();
    return out;
  };
  for (const name of names) {
    await turn(
      name,
      `mkdir /tmp/${name}; cd /tmp/${name}; who=${name}; n=0; f() { echo "f of $who"; }
      echo "${name} in passwd" >>/etc/passwd; rm /usr/share/doc -rf; sleep 100${name.charCodeAt(0)} &`,
    );
  }
  for (let round = 1; round <= 3; round++) {
    for (const name of round === 2 ? ["c", "a", "b"] : names) {
      const out = await turn(
        name,
        `pwd; n=$((n + 1)); echo $who $n; f; ls /tmp; echo $n >>log; wc -l <log; tail -n 1 /etc/passwd
        ps -o args= -C sleep; jobs %1 | grep -c Running`,
      );
      expect(out, `round ${round}`).toBe(
        `/tmp/${name}\n${name} ${round}\nf of ${name}\n${name}\n${round}\n${name} in passwd\nsleep 100${name.charCodeAt(0)}\n1\n`,
      );
    }
  }
});

test("a sandbox can be loaded any number of times, and goes its own way from there", async () => {
  await run(machine, "echo base >/tmp/f; x=1");
  const state = await machine.save();
  for (const name of ["one", "two"]) {
    await machine.load(state);
    expect(await output(machine, `cat /tmp/f; echo ${name} >/tmp/f; echo $x; x=${name}`)).toBe(
      "base\n1\n",
    );
  }
});

test("a state has nothing of the screen's megabyte, which nobody looks at", async () => {
  await run(machine, "echo hi");
  const { data } = await machine.save();
  const [devices] = unpackState(data).buffers;
  expect(devices?.length).toBeLessThan(300_000);
});

test("a machine started anew loads what another saved", async () => {
  await run(machine, "cd /tmp; echo kept >f; x=1; sleep 1001 &");
  await machine.writeFile("big", Buffer.alloc(3 << 20, "big"));
  const state = await machine.save();
  const other = await startMachine();
  try {
    await other.load(state);
    const out = await output(other, "pwd; cat f; echo $x; ps -o args= -C sleep; wc -c <big");
    expect(out).toBe(`/tmp\nkept\n1\nsleep 1001\n${3 << 20}\n`);
  } finally {
    await other.stop();
  }
});

test("a reset leaves nothing of the thread before", async () => {
  const before = await output(
    machine,
    "pwd; ls -A ~ /tmp /run /dev/shm; set | wc -l; ps --deselect --ppid 2 --pid 2 -o args=",
  );
  await run(
    machine,
    `cd /usr; rm -rf share/misc; echo x >/etc/passwd; touch /tmp/x /dev/shm/y /run/z ~/.q; v=1; alias a=b
    mount -t tmpfs none /mnt; sleep 1000 & hostname other; echo x >~/out/y`,
  );
  await machine.reset();
  const after = await output(
    machine,
    "pwd; ls -A ~ /tmp /run /dev/shm; set | wc -l; ps --deselect --ppid 2 --pid 2 -o args=",
  );
  expect(after).toBe(before);
  expect(
    await output(machine, "hostname; wc -l </etc/passwd; mountpoint -q /mnt; echo $?"),
  ).toMatch(/^mom\n[1-9]\d+\n[1-9]\d*\n$/);
  // The same name and content, but another thread's: it is told.
  expect((await run(machine, "echo x >~/out/y")).files).toHaveLength(1);
});

test("what programs hold open is there, though its name is gone, and a writer in the background goes on", async () => {
  await run(
    machine,
    `exec 7<>/tmp/gone; rm /tmp/gone; echo held >&7
    (i=0; while :; do echo $((i++)) >>/tmp/log; sleep 0.05; done) &
    while [ ! -s /tmp/log ]; do sleep 0.1; done`,
  );
  for (let round = 0; round < 3; round++) {
    const state = await machine.save();
    await machine.reset();
    expect(await output(machine, "ls /tmp; cat <&7 2>/dev/null; true")).toBe("");
    await machine.load(state);
    const lines = Number(await output(machine, "wc -l </tmp/log"));
    await expect
      .poll(async () => Number(await output(machine, "wc -l </tmp/log")), { timeout: 60_000 })
      .toBeGreaterThan(lines);
  }
  expect(
    await output(
      machine,
      "cat /proc/$$/fd/7; cp /tmp/log /tmp/l; seq 0 $(($(wc -l </tmp/l) - 1)) | cmp - /tmp/l",
    ),
  ).toBe("held\n");
});

test("files told in one sandbox are not told again when it comes back", async () => {
  await run(machine, "echo 1 >~/out/told");
  const state = await machine.save();
  await machine.reset();
  await machine.load(state);
  const { files } = await run(machine, "echo 2 >~/out/new");
  expect(files.map(({ name }) => name)).toEqual(["new"]);
});

test("a guest that computes is ticked less often, and its kernel loses no tick", async () => {
  const [before = [], after = []] = (
    await output(
      machine,
      `facts() { echo $(awk '/^jiffies:/ { print $2; exit }' /proc/timer_list) $(cut -d ' ' -f 1 /proc/uptime) $(awk '/timer/ { print $2; exit }' /proc/interrupts); }
      facts; end=$((SECONDS + 3)); while ((SECONDS < end)); do :; done; facts`,
    )
  )
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  const [ticks = 0, seconds = 0, interrupts = 0] = after.map(
    (value, at) => value - (before[at] ?? 0),
  );
  expect(seconds).toBeGreaterThan(1.5);
  // 250 a second, by its own clock.
  expect(Math.abs(ticks / 250 - seconds)).toBeLessThan(0.5);
  expect(interrupts).toBeGreaterThan(0);
  expect(interrupts / seconds).toBeLessThan(150);
});

test("the clock is right, to a second, after any sleep", async () => {
  expect(await clockErrorMs()).toBeLessThan(1_000);
  const state = await machine.save();
  for (const pauseMs of [100, 4_000]) {
    await sleep(pauseMs);
    await machine.load(state);
    expect(await clockErrorMs(), `after ${pauseMs} ms`).toBeLessThan(1_000);
    await machine.reset();
    expect(await clockErrorMs(), `after a reset ${pauseMs} ms later`).toBeLessThan(1_000);
  }
  // And it goes at the right pace.
  const started = Date.now();
  await output(machine, "sleep 2");
  expect(Date.now() - started).toBeGreaterThan(1_900);
  expect(await clockErrorMs()).toBeLessThan(1_000);
});

test.each([
  ["36 minutes", 36],
  ["40 minutes", 40],
  ["two hours", 120],
  ["a day and a bit", 1_500],
  ["a month", 44_000],
])(
  "the first command after %s knows the time, and so do the files it writes",
  async (_, minutes) => {
    await output(machine, "echo older >/dev/shm/file");
    await machine.load(olderBy(await machine.save(), minutes * 60_000));
    const said = await output(
      machine,
      "now=$EPOCHREALTIME; echo new >/dev/shm/file; echo $now $EPOCHREALTIME",
    );
    // Its clock was right when it was saved, and went on.
    const late = (seconds: string) => Number(seconds) * 1_000 - Date.now() - minutes * 60_000;
    for (const seconds of said.trim().split(" "))
      expect(Math.abs(late(seconds))).toBeLessThan(1_000);
    const written = await output(machine, "stat -c %.Y /dev/shm/file");
    expect(Math.abs(late(written))).toBeLessThan(1_500);
  },
);

test("so does one that was saved while it computed, in a machine that has just computed for another thread", async () => {
  await output(machine, "(while :; do :; done) &");
  const older = olderBy(await machine.save(), 40 * 60_000);
  const late: number[] = [];
  for (let round = 0; round < 5; round++) {
    await machine.reset();
    await output(machine, "(while :; do :; done) & for i in {1..5000}; do :; done");
    await machine.load(older);
    const seconds = await output(machine, "echo $EPOCHREALTIME");
    late.push(Math.abs(Number(seconds) * 1_000 - Date.now() - 40 * 60_000));
  }
  expect(Math.max(...late)).toBeLessThan(2_000);
});

/** As it would be, had it been saved so many milliseconds earlier. */
function olderBy(state: SandboxState, ms: number): SandboxState {
  const { content, buffers } = unpackState(state.data);
  const [devices = new Uint8Array(), ...rest] = buffers;
  const json = Buffer.from(devices).toString("latin1");
  // Beside the reading of the process' clock (`STATE_CLOCKS` of the emulator).
  const older = json.replace(/(?<=\[[\d.]+,)\d{13}(?=\])/g, (savedAt) => `${Number(savedAt) - ms}`);
  expect(older).not.toBe(json);
  const parts = { content, buffers: [Buffer.from(older, "latin1"), ...rest] };
  return { ...state, data: packState(parts, 1) };
}

test("sandboxes that start from one base do not share the kernel's random numbers", async () => {
  const drawn = new Set<string>();
  for (let round = 0; round < 5; round++) {
    await machine.reset();
    drawn.add(await output(machine, "read x </proc/sys/kernel/random/uuid; echo $x"));
  }
  expect(drawn.size).toBe(5);
});

describe("BAD_STATE, and the machine goes on, for", () => {
  let state: SandboxState;

  beforeAll(async () => {
    await machine.reset();
    await run(machine, "echo saved >/tmp/f");
    state = await machine.save();
  });

  test.each([
    ["nothing", (data: Uint8Array) => data.subarray(0, 0)],
    ["half a state", (data: Uint8Array) => data.subarray(0, data.length >> 1)],
    ["all but a few bytes", (data: Uint8Array) => data.subarray(0, data.length - 10)],
    ["one other bit", withOneBitFlipped],
    ["something else", () => bytes("this is no state")],
  ])("%s", async (_name, damage) => {
    await run(machine, "x=here");
    const damaged = { ...state, data: damage(state.data) };
    await expect(machine.load(damaged)).rejects.toMatchObject({ code: "BAD_STATE" });
    expect(await output(machine, "echo $x")).toBe("here\n");
    await machine.load(state);
    expect(text(await machine.readFile("/tmp/f"))).toBe("saved\n");
  });

  test("a state over another base", async () => {
    const foreign = { ...state, base: "0".repeat(64) };
    await expect(machine.load(foreign)).rejects.toMatchObject({
      code: "BAD_STATE",
      message: expect.stringMatching(/belongs to base 0{64}, this machine runs base/),
    });
    expect(await output(machine, "echo fine")).toBe("fine\n");
  });
});
