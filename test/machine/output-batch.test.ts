import { expect, test } from "vitest";
import type { OutputChunk } from "../../workers/machine/messages.ts";
import { OutputBatch } from "../../workers/machine/output-batch.ts";

function show({ stream, chunk }: OutputChunk): string {
  return `${stream} ${chunk.length} ${Buffer.from(chunk.subarray(0, 8))}`;
}

function world() {
  const sent: string[] = [];
  const planned: (() => void)[] = [];
  const batch = new OutputBatch(
    (output) => sent.push(show(output)),
    (work) => planned.push(work),
  );
  return {
    sent,
    add: (stream: "stdout" | "stderr", text: string) => batch.add(stream, Buffer.from(text)),
    flush: () => batch.flush(),
    take: () => {
      const rest = batch.take();
      return rest && show(rest);
    },
    endSlice: () => {
      for (const work of planned.splice(0)) work();
    },
  };
}

test("what comes in a slice is sent together at its end", () => {
  const { sent, add, endSlice } = world();
  for (const text of ["a", "b", "c"]) add("stdout", text);
  expect(sent).toEqual([]);
  endSlice();
  expect(sent).toEqual(["stdout 3 abc"]);
  add("stdout", "d");
  endSlice();
  endSlice();
  expect(sent.slice(1)).toEqual(["stdout 1 d"]);
});

test("what was not sent when the turn ended is taken once, and the end of the slice sends nothing", () => {
  const { sent, add, take, endSlice } = world();
  expect(take()).toBeNull();
  add("stdout", "a");
  add("stderr", "b");
  add("stderr", "c");
  expect(take()).toBe("stderr 2 bc");
  expect(take()).toBeNull();
  endSlice();
  expect(sent).toEqual(["stdout 1 a"]);
});

test("both streams keep their order", () => {
  const { sent, add, flush } = world();
  add("stdout", "a");
  for (const [stream, text] of [
    ["stderr", "b"],
    ["stderr", "c"],
    ["stdout", "d"],
  ] as const) {
    add(stream, text);
  }
  flush();
  flush();
  expect(sent).toEqual(["stdout 1 a", "stderr 2 bc", "stdout 1 d"]);
});

test("no more is gathered than a bound, and every byte comes", () => {
  const { sent, add, endSlice } = world();
  const lengths = [1, 40_000, 40_000, 100_000, 10, 65_536, 1];
  for (const length of lengths) add("stdout", "x".repeat(length));
  endSlice();
  expect(sent.map((line) => Number(line.split(" ")[1]))).toEqual([
    40_001, 40_000, 100_000, 10, 65_536, 1,
  ]);
});

test("what was gathered is not changed by the bytes it came from", () => {
  const { sent, add, endSlice } = world();
  const chunk = Buffer.from("first");
  const batch = new OutputBatch(
    ({ chunk: bytes }) => sent.push(Buffer.from(bytes).toString()),
    () => {},
  );
  batch.add("stdout", chunk);
  // More than there is room for at first.
  batch.add("stdout", Buffer.alloc(5_000, "x"));
  chunk.fill(0);
  batch.flush();
  add("stdout", "other");
  endSlice();
  expect(sent).toEqual([`first${"x".repeat(5_000)}`, "stdout 5 other"]);
});
