import { expect, test } from "vitest";
import { GuestBacklog } from "../../workers/machine/guest-backlog.ts";

const MIB = 1024 * 1024;

function world() {
  // The counter of instructions wraps around in each test.
  const guest = { isHalted: false, instructions: 2 ** 32 - 50 };
  const work = (instructions: number) => {
    guest.instructions = (guest.instructions + instructions) % 2 ** 32;
  };
  return { guest, work, backlog: new GuestBacklog(guest) };
}

test("a busy guest gets 48 MiB, and more when its processor has nothing to do", () => {
  const { guest, backlog } = world();
  backlog.onSent(48 * MIB - 1);
  expect(backlog.takesMore()).toBe(true);
  backlog.onSent(1);
  expect(backlog.takesMore()).toBe(false);
  guest.isHalted = true;
  expect(backlog.takesMore()).toBe(true);
  guest.isHalted = false;
  backlog.onSent(48 * MIB - 1);
  expect(backlog.takesMore()).toBe(true);
});

test("what was sent before the guest was idle no longer counts", () => {
  const { guest, backlog } = world();
  backlog.onSent(40 * MIB);
  guest.isHalted = true;
  expect(backlog.takesMore()).toBe(true);
  guest.isHalted = false;
  backlog.onSent(40 * MIB);
  expect(backlog.takesMore()).toBe(true);
});

test("a guest that computes all the time gets more after 100 million instructions, and again", () => {
  const { work, backlog } = world();
  for (let time = 0; time < 3; time++) {
    backlog.onSent(47 * MIB);
    // It counts from when it was full.
    work(1_000_000_000);
    backlog.onSent(3 * MIB);
    work(99_999_999);
    backlog.onSent(MIB);
    expect(backlog.takesMore()).toBe(false);
    work(1);
    expect(backlog.takesMore()).toBe(true);
  }
});
