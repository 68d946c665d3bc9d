import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { packState, unpackState } from "../../workers/machine/state-file.ts";
import { randomFrom, seed } from "../support/random.ts";

const random = randomFrom(seed);
const noise = Uint8Array.from({ length: 50_000 }, () => random() * 256);
const parts = {
  content: { name: "né", numbers: [1, 2.5, null], deep: { a: "\0" } },
  buffers: [noise, new Uint8Array(0), new Uint8Array(100_000).fill(7)],
};
const packed = packState(parts, 1);

/** What a state would be whose bytes, before compression, are these. */
function compressed(...pieces: (string | Uint8Array)[]): Uint8Array {
  return zstdCompressSync(Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
}

function header(version: number, jsonLength: number): Buffer {
  const bytes = Buffer.from("MOMSTATE--------");
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(jsonLength, 12);
  return bytes;
}

const badState = expect.objectContaining({ name: "MachineError", code: "BAD_STATE" });

function refusal(bytes: Uint8Array): unknown {
  try {
    unpackState(bytes);
    return "taken";
  } catch (error) {
    return error;
  }
}

test("what was packed comes back, at every level", () => {
  for (const level of [1, 3, 12]) {
    const { content, buffers } = unpackState(packState(parts, level));
    expect(content).toEqual(parts.content);
    expect(buffers.map((buffer) => Buffer.from(buffer))).toEqual(
      parts.buffers.map((buffer) => Buffer.from(buffer)),
    );
  }
});

test("a state cut short anywhere is refused", () => {
  // Without the checksum at its end, four bytes, it is whole yet.
  const whole = packed.length - 4;
  for (let round = 0; round < 200; round++) {
    const length = round === 0 ? whole - 1 : Math.floor(random() * whole);
    expect(refusal(packed.subarray(0, length)), `MOM_SEED=${seed} ${length} bytes`).toEqual(
      badState,
    );
  }
});

test("a single flipped bit anywhere is noticed", () => {
  for (let round = 0; round < 400; round++) {
    const bit = Math.floor(random() * packed.length * 8);
    const flipped = Uint8Array.from(packed);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const outcome = refusal(flipped);
    // Two bits of zstd's frame header carry no meaning (RFC 8878, 3.1.1.1.1): what is read then is what was written.
    if (outcome === "taken") expect(unpackState(flipped)).toEqual(unpackState(packed));
    else expect(outcome, `MOM_SEED=${seed} bit ${bit}`).toEqual(badState);
  }
});

describe("refused is", () => {
  const json = (lengths: unknown) => JSON.stringify({ lengths, content: {} });
  const made = (text: string, body = "") => compressed(header(2, text.length), text, body);

  test.each([
    ["nothing", new Uint8Array(0), /not one of Mom's/],
    ["no zstd", Buffer.from("hello, this is no state"), /cannot be decompressed/],
    ["something else in zstd", compressed("{}".repeat(50)), /not one of Mom's/],
    ["too little for a header", compressed("MOMSTATE"), /not one of Mom's/],
    ["a later format", compressed(header(3, 0)), /format 3; this Mom reads format 2/],
    ["a JSON length behind the end", compressed(header(2, 2 ** 32 - 1), "{}"), /cut short/],
    ["JSON that is none", made("{lengths"), /head cannot be read/],
    ["JSON of another shape", made('{"lengths":"many"}'), /head cannot be read/],
    ["a negative length", made(json([-1])), /head cannot be read/],
    ["a length that is no whole number", made(json([0.5])), /head cannot be read/],
    ["more buffers than there are", made(json(Array(17).fill(0))), /head cannot be read/],
    ["a buffer behind the end", made(json([4]), "abc"), /cut short/],
    ["a length near 2^53", made(json([2 ** 53 - 1]), "abc"), /cut short/],
  ])("%s", (_name, bytes, message) => {
    expect(refusal(bytes)).toEqual(badState);
    expect(String(refusal(bytes))).toMatch(message);
  });
});
