import { readFileSync } from "node:fs";
import { INTERNET_RULES, Policy, PolicyError } from "../../../relay/index.ts";
import { CliError } from "../errors.ts";

/** A policy file is read whole and gone through for every connection. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The rules of a policy by what `MOM_NET_POLICY` or a person calls it: `internet`, `none` or a file of rules.
 * Throws `CliError`, or `PolicyError` with the line that is wrong.
 */
export function namedRules(name: string): string {
  if (name === "internet") return INTERNET_RULES;
  if (name === "none") return "";
  const text = readRules(name);
  try {
    Policy.parse(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new PolicyError(`${name}. ${error.message}`, { cause: error });
  }
  return text;
}

function readRules(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const message = `The network policy ${path} cannot be read (${code}): it is internet, none or a file of rules.`;
    throw new CliError("MISSING", message, { cause: error });
  }
  if (bytes.length <= MAX_FILE_BYTES) return bytes.toString("utf8");
  throw new CliError("USAGE", `The network policy ${path} is larger than a megabyte.`);
}
