import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { networkParameters } from "../../src/cli/net/parameters.ts";
import { networkConfig } from "../../src/config/index.ts";

function policyFile(rules: string): string {
  const folder = mkdtempSync(join(tmpdir(), "mom-policy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy");
  writeFileSync(path, rules);
  return path;
}

const parametersWith = (policy: string) =>
  networkParameters(networkConfig({ MOM_NET_POLICY: policy }));

test("a machine gets the rules of a policy's file, not its path", () => {
  const path = policyFile("allow tcp *.example.org 443\n");
  expect(parametersWith(path).rules).toBe("allow tcp *.example.org 443\n");
});

test("the open internet is all but mail, and none is no rule", () => {
  expect(parametersWith("internet").rules).toBe("deny tcp any 25\nallow any");
  expect(parametersWith("none").rules).toBe("");
});

test("a policy that has a mistake, or is not there, is told before any machine starts", () => {
  const path = policyFile("allow any\npermit any\n");
  expect(() => parametersWith(path)).toThrow(`${path}. Line 2 of the network policy`);
  expect(() => parametersWith("/nonexistent")).toThrow("/nonexistent cannot be read (ENOENT)");
});
