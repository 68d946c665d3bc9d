import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The files that the Dockerfile copies are all that its program needs. Docker itself is not asked. */

const root = resolve(import.meta.dirname, "../..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-container-"));
  const copies = readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^COPY (.+) (\S+)$/gm);
  for (const [, sources = "", target = ""] of copies) {
    for (const source of sources.split(" ")) {
      const to = target.endsWith("/") ? join(folder, target, source) : join(folder, target);
      cpSync(join(root, source), to, { recursive: true });
    }
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the command line starts, with the commands of docker-compose.yml", () => {
  const compose = readFileSync(join(root, "docker-compose.yml"), "utf8");
  const commands = [...compose.matchAll(/^\s+command: \["([a-z]+)"/gm)].map(([, name]) => name);
  expect(commands.length).toBeGreaterThan(1);
  for (const command of commands) {
    const args = [join(folder, "src/cli/main.js"), command ?? "", "--help"];
    expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toContain(
      `Usage: mom ${command}`,
    );
  }
});

test.each(["app", "worker"])("the %s begins, and says what it lacks", (part) => {
  const env = { PATH: process.env.PATH, MOM_ENV_FILE: "/dev/null", MOM_DATA_DIR: folder };
  const args = [join(folder, "src/cli/main.js"), part];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  expect(stderr).toMatch(/SLACK_BOT_TOKEN/);
  expect(stderr).not.toContain("ERR_MODULE_NOT_FOUND");
  expect(status).not.toBe(0);
});

test("the machine's process finds all its parts", () => {
  const script = "await import('./workers/machine/host.ts'); console.log('found')";
  const args = ["--input-type=module", "-e", script];
  expect(execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8" })).toBe("found\n");
});
