import { describe, expect, test } from "vitest";
import { ConsoleWatch } from "../../workers/machine/console-watch.ts";

function watched(text: string | Uint8Array): { text: string; deaths: string[] } {
  const seen = { text: "", deaths: [] as string[] };
  const watch = new ConsoleWatch(
    (line) => {
      seen.text += line;
    },
    (reason) => seen.deaths.push(reason),
  );
  for (const byte of typeof text === "string" ? Buffer.from(text) : text) watch.byte(byte);
  watch.flush();
  return seen;
}

describe("a guest is dead after", () => {
  test.each([
    [
      "[    8.2] Kernel panic - not syncing: sysrq triggered crash\r\n",
      "the guest's kernel panicked (sysrq triggered crash)",
    ],
    ["[    9.1] reboot: System halted\r\n", "the guest halted (System halted)"],
    ["[    9.1] reboot: Power down\r\n", "the guest powered itself off (Power down)"],
    ["[    9.1] reboot: Restarting system\r\n", "the guest rebooted (Restarting system)"],
    ["[    9.1] sysrq: Resetting\r\n", "the guest rebooted (Resetting)"],
    [
      "mom: cannot mount root: no such tag\n",
      "the guest could not start (cannot mount root: no such tag)",
    ],
  ])("%j", (line, reason) => {
    expect(watched(`before\n${line}after\n`).deaths).toEqual([reason]);
  });
});

test("other lines are passed on as they are, whatever their bytes", () => {
  const { text, deaths } = watched("ein Gerät: 2 °C\r\nno newline at the end");
  expect(text).toBe("ein Gerät: 2 °C\r\nno newline at the end");
  expect(deaths).toEqual([]);
  expect(watched(Uint8Array.from({ length: 256 }, (_, byte) => byte)).deaths).toEqual([]);
});

test("a line that never ends is passed on in pieces and not kept", () => {
  const lengths: number[] = [];
  const watch = new ConsoleWatch(
    (piece) => lengths.push(piece.length),
    () => {},
  );
  for (let index = 0; index < 10_000; index++) watch.byte(0x61);
  expect(lengths).toEqual([4096, 4096]);
});
