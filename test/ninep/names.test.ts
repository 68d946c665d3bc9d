import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { fromByteStringExactly, toByteString } from "../../workers/ninep/names.ts";

const latin1 = (bytes: Buffer) => bytes.toString("latin1");

test.each([
  ["letters", Buffer.from("report.csv"), "report.csv"],
  ["UTF-8", Buffer.from("é 日本 🦊"), "é 日本 🦊"],
  ["a byte that is no UTF-8", Buffer.from([0x61, 0xff, 0x62]), "a\udcffb"],
  ["a sequence that is cut short", Buffer.from([0xe6, 0x97]), "\udce6\udc97"],
  ["an overlong slash", Buffer.from([0xc0, 0xaf]), "\udcc0\udcaf"],
  ["a surrogate in UTF-8", Buffer.from([0xed, 0xa0, 0x80]), "\udced\udca0\udc80"],
])("a name of %s is Unicode without loss", (_what, bytes, text) => {
  expect(fromByteStringExactly(latin1(bytes))).toBe(text);
  expect(toByteString(text)).toBe(latin1(bytes));
});

test("any bytes come back the same", () => {
  for (let round = 0; round < 2_000; round++) {
    const bytes = randomBytes(round % 24);
    const back = toByteString(fromByteStringExactly(latin1(bytes)));
    expect(back, bytes.toString("hex")).toBe(latin1(bytes));
  }
});
