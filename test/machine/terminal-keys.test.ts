import { expect, test } from "vitest";
import { type KeyPort, TerminalKeys } from "../../workers/machine/terminal-keys.ts";

/** A guest's driver that has so many buffers, and gives one back for each that it is told to read. */
class Port implements KeyPort {
  readonly #taken: Uint8Array[] = [];
  buffers: number;
  read = "";

  constructor(buffers: number) {
    this.buffers = buffers;
  }

  isReady(): boolean {
    return this.#taken.length < this.buffers;
  }

  send(piece: Uint8Array): void {
    expect(this.isReady()).toBe(true);
    expect(piece.length).toBeLessThanOrEqual(2048);
    this.#taken.push(piece);
  }

  readAll(): void {
    while (this.#taken.length > 0) this.readOne();
  }

  readOne(): void {
    const piece = this.#taken.shift();
    if (piece) this.read += Buffer.from(piece).toString("latin1");
  }
}

const text = (length: number, letter: string) => Buffer.alloc(length, letter);

test("keys that come while others wait stay behind them, though there is a free buffer", async () => {
  const port = new Port(2);
  const keys = new TerminalKeys(port);
  keys.send(text(5_000, "a"));
  port.readOne();
  // A buffer is free, and the rest of the first has not been passed on yet.
  keys.send(text(3, "b"));
  keys.send(text(3_000, "c"));
  await expect
    .poll(() => {
      port.readOne();
      return port.read;
    })
    .toBe("a".repeat(5_000) + "b".repeat(3) + "c".repeat(3_000));
});

test("what waits for a program that reads nothing is bounded: what comes then is dropped, and what was before is kept", async () => {
  const port = new Port(1);
  const keys = new TerminalKeys(port);
  for (let sent = 0; sent < 8; sent++) keys.send(text(1 << 20, "k"));
  port.buffers = 10_000;
  await expect
    .poll(() => {
      port.readAll();
      return port.read.length;
    })
    .toBe(4 << 20);
  keys.send(text(1, "z"));
  port.readAll();
  expect(port.read.endsWith("kz")).toBe(true);
});

test("what was typed ahead of a terminal's end does not go to the next", async () => {
  const port = new Port(1);
  const keys = new TerminalKeys(port);
  keys.send(text(10_000, "a"));
  keys.drop();
  port.readOne();
  keys.send(text(3, "b"));
  port.readOne();
  await new Promise((resolve) => setTimeout(resolve, 20));
  port.readOne();
  expect(port.read).toBe(`${"a".repeat(2048)}bbb`);
});
