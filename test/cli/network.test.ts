import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { networkParameters } from "../../src/cli/network.ts";
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

test("a mistake in the policy is told with its line and the file", () => {
  const path = policyFile("allow any\npermit any\n");
  const mistake = `MOM_NET_POLICY is ${path}. Line 2 of the network policy, "permit any": a rule begins with "allow" or "deny".`;
  expect(() => parametersWith(path)).toThrow(mistake);
});

test("a file that is not there is told by name", () => {
  expect(() => parametersWith("/nonexistent/policy")).toThrow(
    "MOM_NET_POLICY is neither “internet” nor “none”, and /nonexistent/policy cannot be read (ENOENT).",
  );
});
