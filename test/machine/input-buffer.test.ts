import { expect, test } from "vitest";
import { InputBuffer } from "../../workers/machine/input-buffer.ts";
import { NinePError } from "../../workers/ninep/errno.ts";
import { PendingRead } from "../../workers/ninep/filesystem.ts";
import { randomFrom, seed } from "../support/random.ts";

type Outcome = { text: string } | { error: NinePError } | undefined;

/** A reader that keeps its place, as a guest's file descriptor does. */
function reader(input: InputBuffer, maxBytes = 100) {
  let offset = 0;
  return () => {
    const into = new Uint8Array(maxBytes);
    const count = input.read(offset, into);
    const result: { now: Outcome } = { now: undefined };
    const take = (bytes: Uint8Array) => {
      offset += bytes.length;
      result.now = { text: Buffer.from(bytes).toString("latin1") };
    };
    if (count instanceof PendingRead) {
      count.onSettled((outcome) => {
        if (outcome instanceof NinePError) result.now = { error: outcome };
        else take(outcome);
      });
    } else {
      take(into.subarray(0, count));
    }
    return result;
  };
}

const bytes = (text: string) => Buffer.from(text, "latin1");

/** True when a promise has resolved by the time all that is due now has run. */
async function isResolved(promise: Promise<unknown>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => {
    resolved = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return resolved;
}

test("a reader waits for input, gets what comes, and then the end", () => {
  const input = new InputBuffer();
  const read = reader(input);
  const first = read();
  expect(first.now).toBeUndefined();
  void input.push(bytes("hello"));
  expect(first.now).toEqual({ text: "hello" });
  const second = read();
  input.end();
  expect(second.now).toEqual({ text: "" });
  expect(read().now).toEqual({ text: "" });
});

test("what was pushed before anybody read is there, and so is the end", () => {
  const input = new InputBuffer();
  void input.push(bytes("ab"));
  void input.push(bytes("cd"));
  input.end();
  const read = reader(input, 3);
  expect([read().now, read().now, read().now]).toEqual([
    { text: "abc" },
    { text: "d" },
    { text: "" },
  ]);
});

test("bytes arrive in order whatever the pieces they come and go in", () => {
  const random = randomFrom(seed);
  const all = Buffer.from(Array.from({ length: 20_000 }, () => random() * 256));
  const input = new InputBuffer();
  const read = reader(input, 777);
  let sent = 0;
  let got = "";
  let waiting = read();
  while (got.length < all.length) {
    if (waiting.now === undefined || (sent < all.length && random() < 0.5)) {
      const size = Math.floor(random() * 2_000);
      void input.push(all.subarray(sent, sent + size));
      sent = Math.min(all.length, sent + size);
    }
    if (waiting.now === undefined) continue;
    got += "text" in waiting.now ? waiting.now.text : "";
    waiting = read();
  }
  expect(got === all.toString("latin1"), `MOM_SEED=${seed}`).toBe(true);
});

test("a writer waits while a megabyte stands unread, and goes on when there is room", async () => {
  const input = new InputBuffer();
  const read = reader(input, 300_000);
  expect(await isResolved(input.push(Buffer.alloc(500_000)))).toBe(true);
  const full = input.push(Buffer.alloc(600_000));
  expect(await isResolved(full)).toBe(false);
  read();
  expect(await isResolved(full)).toBe(true);
});

test("a writer goes on when nobody will read any more", async () => {
  const input = new InputBuffer();
  const full = input.push(Buffer.alloc(2 << 20));
  expect(await isResolved(full)).toBe(false);
  input.discard();
  expect(await isResolved(full)).toBe(true);
  expect(await isResolved(input.push(Buffer.alloc(2 << 20)))).toBe(true);
});

test("only in order: input that is gone cannot be read again", () => {
  const input = new InputBuffer();
  void input.push(bytes("hello"));
  expect(() => input.read(1, new Uint8Array(1))).toThrow(NinePError);
  input.read(0, new Uint8Array(2));
  expect(() => input.read(0, new Uint8Array(1))).toThrow(NinePError);
  expect(input.read(2, new Uint8Array(9))).toBe(3);
});

test("a read that is given up takes nothing with it", () => {
  const input = new InputBuffer();
  const waiting = input.read(0, new Uint8Array(10));
  expect(waiting).toBeInstanceOf(PendingRead);
  if (waiting instanceof PendingRead) waiting.cancel();
  void input.push(bytes("kept"));
  expect(input.read(0, new Uint8Array(10))).toBe(4);
});
