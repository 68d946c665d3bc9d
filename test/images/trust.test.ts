import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The guest's /usr/lib/mom/trust, on a root of its own. */
const script = resolve(import.meta.dirname, "../../images/guest/usr/lib/mom/trust");
const [first = "", second = "", third = "", fourth = ""] = rootCertificates.map(
  (pem) => `${pem.trim()}\n`,
);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mom-trust-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const bundle = () => join(root, "etc/ssl/certs/ca-certificates.crt");
const extra = () => join(root, "usr/local/share/ca-certificates/mom-extra.crt");
const read = (path: string) => readFileSync(path, "utf8");

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function trust(pem: string): void {
  const { status, stderr } = spawnSync("sh", [script, root], { input: pem, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
}

test("certificates come behind the system's own, and go again", () => {
  write(bundle(), first + second);
  trust(third + fourth);
  expect(read(bundle())).toBe(first + second + third + fourth);
  expect(read(extra())).toBe(third + fourth);
  trust(fourth);
  expect(read(bundle())).toBe(first + second + fourth);
  trust("");
  expect(read(bundle())).toBe(first + second);
  expect(read(extra())).toBe("");
});

test("the same ones again change nothing", () => {
  write(bundle(), first);
  for (let round = 0; round < 3; round++) trust(second + second);
  expect(read(bundle())).toBe(first + second);
});

test("one that the system has anyway stays when it is no longer the operator's", () => {
  write(bundle(), first + second);
  trust(second + third);
  expect(read(bundle())).toBe(first + second + third);
  trust("");
  expect(read(bundle())).toBe(first + second);
});

test("a bundle that was made anew meanwhile is followed", () => {
  write(bundle(), first);
  trust(second);
  // As update-ca-certificates does: the system's, and what it finds in /usr/local.
  write(bundle(), fourth + read(extra()));
  trust(third);
  expect(read(bundle())).toBe(fourth + third);
});

test("a guest without a bundle gets one", () => {
  trust(first);
  expect(read(bundle())).toBe(first);
});
