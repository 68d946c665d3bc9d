import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { readCertificates } from "../../src/cli/certificates.ts";

const [first = "", second = ""] = rootCertificates.map((pem) =>
  new X509Certificate(pem).toString(),
);
const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "mom-ca-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "ca.pem");
  writeFileSync(path, text);
  return path;
}

test("all certificates are taken, and nothing else: no remark, no private key", () => {
  const read = readCertificates(file(`# ours\r\n${first}\n${key}and\n${second}`));
  expect(read).toBe(first + second);
});

test("lines of another length or ending are made the usual ones", () => {
  const [head = "", ...body] = first.trim().split("\n");
  const tail = body.pop() ?? "";
  expect(readCertificates(file([head, body.join(""), tail].join("\r\n")))).toBe(first);
});

test.each([
  ["has no certificate in PEM", "hello"],
  ["has no certificate in PEM", key],
  ["whose certificate 2 is damaged", `${first}\n${second.replace("MII", "AAA")}`],
])("a file that %s is refused in a sentence", (what, text) => {
  const path = file(text);
  expect(() => readCertificates(path)).toThrow(`MOM_EXTRA_CA_CERTS is ${path}, `);
  expect(() => readCertificates(path)).toThrow(what);
});

test("a file that is not there is told by name", () => {
  expect(() => readCertificates("/nonexistent/ca.pem")).toThrow(
    "MOM_EXTRA_CA_CERTS is /nonexistent/ca.pem, which cannot be read (ENOENT).",
  );
});
