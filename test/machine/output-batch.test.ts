import { expect, test } from "vitest";
import { OutputBatch } from "../../workers/machine/output-batch.ts";

function world() {
  const sent: string[] = [];
  const planned: (() => void)[] = [];
  const batch = new OutputBatch(
    (stream, chunk) => sent.push(`${stream} ${chunk.length} ${Buffer.from(chunk.subarray(0, 8))}`),
    (work) => planned.push(work),
  );
  return {
    sent,
    add: (stream: "stdout" | "stderr", text: string) => batch.add(stream, Buffer.from(text)),
    flush: () => batch.flush(),
    endSlice: () => {
      for (const work of planned.splice(0)) work();
    },
  };
}

test("what comes first in a slice is sent at once, the rest together at its end", () => {
  const { sent, add, endSlice } = world();
  for (const text of ["a", "b", "c"]) add("stdout", text);
  expect(sent).toEqual(["stdout 1 a"]);
  endSlice();
  expect(sent).toEqual(["stdout 1 a", "stdout 2 bc"]);
  add("stdout", "d");
  endSlice();
  endSlice();
  expect(sent.slice(2)).toEqual(["stdout 1 d"]);
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
    1, 40_000, 40_000, 100_000, 10, 65_536, 1,
  ]);
});

test("what was gathered is not changed by the bytes it came from", () => {
  const { sent, add, endSlice } = world();
  add("stdout", "first");
  const chunk = Buffer.from("second");
  const batch = new OutputBatch(
    (_stream, bytes) => sent.push(Buffer.from(bytes).toString()),
    () => {},
  );
  batch.add("stdout", Buffer.from("1"));
  batch.add("stdout", chunk);
  chunk.fill(0);
  batch.flush();
  endSlice();
  expect(sent).toEqual(["stdout 5 first", "1", "second"]);
});
