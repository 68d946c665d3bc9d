import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "dotenv";
import { ConfigError } from "./errors.ts";

/** Names and values as a process gets them. An empty value counts as not set (`NAME=` in a template). */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment with the values of a `.env` file below it: what is set in the environment wins.
 * A missing file is no error.
 *
 * @example
 * const env = readEnvironment(process.env, ".env");
 */
export function readEnvironment(env: Environment, dotenvPath: string): Environment {
  return { ...readDotenv(dotenvPath), ...withoutEmpty(env) };
}

/**
 * The folder for images, snapshots and everything else that Mom keeps, by the XDG base directory
 * specification: `MOM_DATA_DIR`, else `$XDG_DATA_HOME/mom`, else `~/.local/share/mom`.
 */
export function dataDir(env: Environment): string {
  if (env.MOM_DATA_DIR) return resolve(env.MOM_DATA_DIR);
  // The specification says that a relative XDG_DATA_HOME is to be ignored.
  const xdg = env.XDG_DATA_HOME;
  if (xdg?.startsWith("/")) return join(xdg, "mom");
  return join(env.HOME || homedir(), ".local", "share", "mom");
}

function readDotenv(path: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return {};
    throw new ConfigError("CONFIG_FILE", `${path} cannot be read (${String(code)}).`, {
      cause: error,
    });
  }
  return withoutEmpty(parse(text));
}

function withoutEmpty(env: Environment): Record<string, string> {
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value.trim() !== "") set[name] = value;
  }
  return set;
}
