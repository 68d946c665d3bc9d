import { expect, test } from "vitest";
import { TailBuffer } from "../../workers/tail-buffer.ts";

function textOf(tail: TailBuffer): string {
  return Buffer.from(tail.bytes()).toString();
}

test("what fits is all there", () => {
  const tail = new TailBuffer(10);
  tail.push(Buffer.from("abc"));
  tail.push(Buffer.from("def"));
  expect(textOf(tail)).toBe("abcdef");
});

test("of more, the end is there and all of it counted, however it was cut up", () => {
  const whole = Array.from({ length: 1_000 }, (_, index) => `${index},`).join("");
  for (const size of [1, 3, 10, 64, 5_000]) {
    const tail = new TailBuffer(64);
    for (let at = 0; at < whole.length; at += size) {
      tail.push(Buffer.from(whole.slice(at, at + size)));
    }
    expect(textOf(tail), `chunks of ${size}`).toBe(whole.slice(-64));
    expect(tail.totalBytes).toBe(whole.length);
  }
});

test("a chunk that its sender uses again afterwards is not held on to", () => {
  const tail = new TailBuffer(10);
  const chunk = Buffer.from("abc");
  tail.push(chunk);
  chunk.fill("x");
  expect(textOf(tail)).toBe("abc");
});
