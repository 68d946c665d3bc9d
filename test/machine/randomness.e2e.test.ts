import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import { testGuest } from "../support/guest.ts";
import { output, run, sharedMachine, startMachine } from "./support/machine.ts";

/** Sandboxes that come from one state draw different random numbers, from their first instruction on. */

/** Ways to a random number, a line each. */
const DRAW = `head -c 16 /dev/urandom | od -An -tx1
  cat /proc/sys/kernel/random/uuid
  echo $SRANDOM-$SRANDOM`;
const DRAW_IN_PYTHON = `python3 -c 'import os, random, secrets, uuid
for draw in os.urandom(8).hex(), secrets.token_hex(8), random.random(), uuid.uuid4(): print(draw)'`;
/** The guest's clock is right to a second: so far apart, what came before a sleep and after it is told by its time. */
const ASLEEP_MS = 3_000;

function expectAllDifferent(outputs: readonly string[]): void {
  const lines = outputs.flatMap((text) => text.trim().split("\n"));
  expect(new Set(lines).size, outputs.join("\n")).toBe(lines.length);
}

test("new threads, forks of one thread, and a command run again after undo draw different numbers", async () => {
  const machine = await sharedMachine();
  const outputs: string[] = [];
  const shells = new Set<string>();
  for (let thread = 0; thread < 3; thread++) {
    await machine.reset();
    shells.add(await output(machine, "echo $RANDOM $RANDOM $RANDOM"));
    outputs.push(await output(machine, DRAW));
  }
  expect(shells.size).toBe(3);
  const state = await machine.save();
  // Goes on in the machine as it is, and is forked twice.
  outputs.push(await output(machine, DRAW));
  for (let fork = 0; fork < 2; fork++) {
    await machine.load(state);
    outputs.push(await output(machine, `${DRAW}; ${DRAW_IN_PYTHON}`));
  }
  expectAllDifferent(outputs);
});

test("a program in the background draws different numbers in each fork, from the first on", async () => {
  const machine = await sharedMachine();
  await run(
    machine,
    "while :; do read -r x </proc/sys/kernel/random/uuid; echo $EPOCHREALTIME $x; done >/tmp/log & sleep 0.3",
  );
  const state = await machine.save();
  const savedMs = Date.now();
  await sleep(ASLEEP_MS);
  const logs: Set<string>[] = [];
  for (let fork = 0; fork < 2; fork++) {
    await machine.load(state);
    const log = await output(machine, "sleep 0.2; kill %1; wait; head -n -1 /tmp/log");
    const drawn = log
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    const later = drawn.filter(([time]) => Number(time) * 1_000 > savedMs + ASLEEP_MS / 2);
    expect(later.length).toBeGreaterThan(10);
    expect(later.length).toBeLessThan(drawn.length);
    // The read that was under way at the save had its number already.
    logs.push(new Set(later.slice(1).map(([, uuid = ""]) => uuid)));
  }
  const [one, other] = logs;
  expect([...(one ?? [])].filter((uuid) => other?.has(uuid))).toEqual([]);
});

test("with a kernel whose generator was not found the guest is asked to reseed it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mom-random-"));
  try {
    const guest = await testGuest();
    await cp(guest.base.dir, folder, { recursive: true });
    const path = join(folder, "base.json");
    const { random, ...record } = JSON.parse(await readFile(path, "utf8"));
    expect(random, "the kernels of Mom's own images are known").toBeDefined();
    await writeFile(path, JSON.stringify(record));
    const { files } = startParameters(machineConfig(process.env), guest);
    const machine = await startMachine({ parameters: { files: { ...files, base: folder } } });
    onTestFinished(() => machine.stop());
    await machine.reset();
    const outputs = [await output(machine, DRAW)];
    const state = await machine.save();
    for (let fork = 0; fork < 2; fork++) {
      await machine.load(state);
      outputs.push(await output(machine, DRAW));
    }
    expectAllDifferent(outputs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
