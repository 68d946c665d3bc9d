import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aptInstall } from "../../src/cli/setup/apt.ts";

// `apt-get` is a stand-in that writes down how it is called: installing packages is not for a test to do.

let bin: string;

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "mom-apt-"));
});
afterEach(() => rmSync(bin, { recursive: true }));

function aptGet(script: string): void {
  const log = `echo "$DEBIAN_FRONTEND $SYSTEMD_OFFLINE $RUNLEVEL $*" >>"${bin}/calls"`;
  writeFileSync(join(bin, "apt-get"), `#!/bin/sh\n${log}\n${script}\n`);
  chmodSync(join(bin, "apt-get"), 0o755);
}

const calls = () => readFileSync(join(bin, "calls"), "utf8").trim().split("\n");

function install(packages: string[], signal = new AbortController().signal): Promise<void> {
  const env = { PATH: `${bin}:${process.env.PATH}` };
  return aptInstall(packages, { prefix: [] }, { env, report: () => undefined, signal });
}

test("packages are fetched first and then unpacked, without questions, extras or services", async () => {
  aptGet("");
  await install(["seabios", "arch-test"]);
  const [download, unpack, ...more] = calls();
  expect(more).toEqual([]);
  for (const call of [download, unpack]) {
    expect(call).toMatch(/^noninteractive 1 1 /);
    expect(call).toContain("--no-install-recommends seabios arch-test");
    expect(call).toContain("DPkg::Lock::Timeout=300");
  }
  expect(download).toContain("--download-only");
  expect(unpack).not.toContain("--download-only");
});

test("an index that is missing or old is fetched once, and the install tried again", async () => {
  aptGet(`case "$*" in
    *update*) touch "${bin}/updated" ;;
    *) [ -e "${bin}/updated" ] || { echo "E: Unable to locate package seabios"; exit 100; } ;;
  esac`);
  await install(["seabios"]);
  expect(calls().map((call) => /update|--download-only|install/.exec(call)?.[0])).toEqual([
    "install",
    "update",
    "install",
    "install",
  ]);
});

test("a failure names the packages and has apt's last words", async () => {
  aptGet("echo 'E: You have no space left'; exit 100");
  await expect(install(["seabios"])).rejects.toThrow(
    /The packages seabios could not be installed(.|\n)*You have no space left/,
  );
});

test("an abort ends the download", async () => {
  aptGet("sleep 60");
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("enough")), 200);
  await expect(install(["seabios"], abort.signal)).rejects.toThrow("enough");
});

test("an abort waits for a dpkg that has begun", async () => {
  const abort = new AbortController();
  aptGet(
    `case "$*" in *--download-only*) exit ;; esac; touch "${bin}/begun"; sleep 0.5; touch "${bin}/unpacked"`,
  );
  const installing = install(["seabios"], abort.signal);
  installing.catch(() => {});
  await expect.poll(() => existsSync(join(bin, "begun"))).toBe(true);
  abort.abort(new Error("enough"));
  await expect(installing).rejects.toThrow("enough");
  expect(readFileSync(join(bin, "unpacked"), "utf8")).toBe("");
});
