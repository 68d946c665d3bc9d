import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { InputFeed } from "../../workers/machine/input-feed.ts";

/** All that a feed sends until it says that this was the end. */
async function fed(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  await new Promise<void>((resolve) => {
    new InputFeed(source, async (chunk) => {
      if (chunk === null) resolve();
      else chunks.push(chunk);
    });
  });
  return chunks;
}

test("large input goes in pieces, and adds up", async () => {
  const data = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));
  const chunks = await fed(data);
  expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(256 << 10);
  expect(Buffer.concat(chunks).equals(data)).toBe(true);
  expect(await fed(new Uint8Array(0))).toEqual([]);
});

test("a piece is sent when the one before was taken", async () => {
  let inFlight = 0;
  await new Promise<void>((resolve) => {
    new InputFeed(new Uint8Array(2 << 20), async (chunk) => {
      expect(++inFlight).toBe(1);
      await sleep(1);
      inFlight--;
      if (chunk === null) resolve();
    });
  });
});

test("a source that fails ends the input with what it gave", async () => {
  async function* failing() {
    yield Buffer.from("one");
    throw new Error("the source is gone");
  }
  expect(Buffer.concat(await fed(failing())).toString()).toBe("one");
});

test("a feed that is stopped asks for no more and lets its source go", async () => {
  let isReleased = false;
  async function* endless() {
    try {
      for (;;) yield Buffer.from("y\n");
    } finally {
      isReleased = true;
    }
  }
  let sent = 0;
  const feed = new InputFeed(endless(), async () => {
    sent++;
    await sleep(1);
  });
  await sleep(10);
  feed.stop();
  while (!isReleased) await sleep(1);
  const before = sent;
  await sleep(10);
  expect(sent).toBe(before);
});
