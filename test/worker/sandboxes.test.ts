import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { systemClock } from "../../workers/clock.ts";
import { MachineSlot, type SlotMachine } from "../../workers/machine-slot.ts";
import { type FoundSnapshot, Sandboxes } from "../../workers/sandboxes.ts";
import type { SnapshotStore } from "../../workers/snapshots/store.ts";

/** The order in which a machine changes hands: who is in it is told before it changes and after. */

const { signal } = new AbortController();

let events: string[];
let sandboxes: Sandboxes;
let slot: MachineSlot;
beforeEach(() => {
  events = [];
  const machine = {
    isDead: false,
    reset: async () => void events.push("reset"),
    load: async () => void events.push("load"),
  } as Partial<SlotMachine> as SlotMachine;
  const log = pino({ level: "silent" });
  slot = new MachineSlot({ startMachine: async () => machine, clock: systemClock, log });
  sandboxes = new Sandboxes(slot, {} as SnapshotStore, "owner", {
    enters: (threadKey) => events.push(`enters ${threadKey}`),
    leaves: () => events.push("leaves"),
  });
});

const snapshot = (id: string) => ({ id }) as FoundSnapshot;

test("a thread has left before another's sandbox is loaded, and that one enters afterwards", async () => {
  await sandboxes.enter("A", undefined, signal);
  await sandboxes.enter("B", snapshot("s1"), signal);
  expect(events).toEqual(["leaves", "reset", "enters A", "leaves", "load", "enters B"]);
});

test("a thread whose sandbox is in the machine does not leave it", async () => {
  await sandboxes.enter("A", snapshot("s1"), signal);
  slot.hold({ threadKey: "A", snapshot: "s2" });
  events = [];
  await sandboxes.enter("A", snapshot("s2"), signal);
  expect(events).toEqual(["enters A"]);
});

test("what is in the machine and not to be kept has left it", async () => {
  await sandboxes.enter("A", snapshot("s1"), signal);
  events = [];
  sandboxes.drop(new Error("not saved"));
  expect(events).toEqual(["leaves"]);
});
