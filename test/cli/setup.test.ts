import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CliError, explain } from "../../src/cli/errors.ts";
import { aptAccess } from "../../src/cli/setup/apt.ts";
import { missingText, systemPackagesStep } from "../../src/cli/setup/index.ts";
import { commandFor, missingNeeds, type Need } from "../../src/cli/setup/needs.ts";
import { Interrupted } from "../../src/cli/signals.ts";

let bin: string;

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "mom-bin-"));
});
afterEach(() => rmSync(bin, { recursive: true }));

function installed(...names: string[]): { PATH: string } {
  for (const name of names) {
    writeFileSync(join(bin, name), "");
    chmodSync(join(bin, name), 0o755);
  }
  return { PATH: bin };
}

const need: Need = {
  debian: "mom-test-tool",
  macos: "brew install mom-test-tool",
  why: "to prove something",
  isThere: () => false,
};

test("what is missing is named with what it is for and the command that brings it", () => {
  expect(missingText([need], "this machine has no apt-get")).toBe(
    [
      "Missing on this machine, and this machine has no apt-get:",
      `  mom-test-tool, needed to prove something: ${commandFor(need, "linux")}`,
    ].join("\n"),
  );
});

test("each system has its own command", () => {
  expect(commandFor(need, "linux")).toContain("apt-get install --no-install-recommends mom-test-");
  expect(commandFor(need, "darwin")).toBe("brew install mom-test-tool");
  expect(commandFor({ ...need, macos: undefined }, "darwin")).toContain("Docker");
});

test("a program in PATH is there, one that cannot be run is not", () => {
  const before = missingNeeds(["test"], { PATH: bin }).map(({ debian }) => debian);
  expect(before).toEqual(["chromium"]);
  writeFileSync(join(bin, "chromium"), "");
  expect(missingNeeds(["test"], { PATH: bin })).toHaveLength(1);
  expect(missingNeeds(["test"], installed("chromium"))).toEqual([]);
});

describe("--no-install", () => {
  const options = {
    purposes: ["test"] as const,
    install: false,
    stderr: process.stderr,
    signal: new AbortController().signal,
  };

  test("names what is missing instead of installing it", () => {
    expect(() => systemPackagesStep({ ...options, env: { PATH: bin } })).toThrow(/chromium/);
  });

  test("is nothing to complain about when nothing is missing", () => {
    expect(systemPackagesStep({ ...options, env: installed("chromium") })).toEqual([]);
  });
});

describe("packages are installed", () => {
  test("by root without more ado", () => {
    expect(aptAccess(installed("apt-get"), 0)).toEqual({ prefix: [] });
  });

  test("by others through sudo, which must not ask for a password", () => {
    expect(aptAccess(installed("apt-get", "sudo"), 1000)).toEqual({ prefix: ["sudo", "-n"] });
  });

  test("not at all without apt-get, or without root and sudo", () => {
    expect(aptAccess(installed(), 0)).toHaveProperty("problem");
    expect(aptAccess(installed("apt-get"), 1000)).toHaveProperty("problem");
  });
});

describe("errors", () => {
  const verbose = false;

  test("of ours are their sentences, each line marked", () => {
    const error = new CliError("MISSING", "One.\nTwo.");
    expect(explain(error, { verbose })).toEqual({ text: "mom: One.\nmom: Two.", exitStatus: 1 });
  });

  test("a full disk and a taken port are explained", () => {
    const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    expect(explain(full, { verbose }).text).toMatch(/^mom: The disk is full.*\(ENOSPC/);
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    expect(explain(taken, { verbose }).text).toMatch(/^mom: Another program listens/);
  });

  test("that nobody foresaw come with stack, causes, and where to report them", () => {
    const error = new TypeError("x is not a function", { cause: new Error("deep down") });
    const { text, exitStatus } = explain(error, { verbose });
    expect(text).toContain("setup.test.ts");
    expect(text).toContain("Caused by: Error: deep down");
    expect(text).toContain("Please report it");
    expect(exitStatus).toBe(1);
  });

  test("Node's own codes are no sentences for people", () => {
    const error = Object.assign(new TypeError("bad"), { code: "ERR_INVALID_ARG_TYPE" });
    expect(explain(error, { verbose }).text).toContain("Please report it");
  });

  test("an interrupt ends with the status that shells expect", () => {
    expect(explain(new Interrupted("SIGINT"), { verbose }).exitStatus).toBe(130);
    expect(explain(new Interrupted("SIGTERM"), { verbose }).exitStatus).toBe(143);
  });
});
