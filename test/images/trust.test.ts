import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

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

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("OpenSSL finds", () => {
  const folder = () => join(root, "etc/ssl/certs");
  const hashed = () =>
    readdirSync(folder())
      .filter((name) => /^[0-9a-f]{8}\.\d$/.test(name))
      .map((name) => [name, read(join(folder(), name))] as const);
  const found = () => new Set(hashed().map(([, pem]) => pem));

  test("each by the hash of its name, until it is taken back", () => {
    write(bundle(), first);
    trust(`a remark\n${second}${third}`);
    expect(found()).toEqual(new Set([second, third]));
    expect(hashed().map(([name]) => name.slice(-2))).toEqual([".0", ".0"]);
    trust(third + fourth);
    expect(found()).toEqual(new Set([third, fourth]));
    trust("");
    expect(found()).toEqual(new Set());
  });

  test("also one whose name another has", () => {
    trust(second);
    const [[name] = [""]] = hashed();
    trust("");
    write(join(root, "other.pem"), third);
    symlinkSync("../../../other.pem", join(folder(), name));
    trust(second);
    expect(read(join(folder(), name.replace(/0$/, "1")))).toBe(second);
    trust("");
    expect(hashed()).toEqual([[name, third]]);
  });

  test("none that the system has anyway a second time", () => {
    write(bundle(), first + second);
    trust(second);
    expect(found()).toEqual(new Set());
  });
});
