import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import type { Machine } from "../../workers/machine/machine.ts";
import { type LocalServers, startServers } from "../relay/support/local-servers.ts";
import { testGuest } from "../support/guest.ts";
import { output, startMachine } from "./support/machine.ts";

/** What a new thread begins with where the operator has certificates. That they are trusted: test/relay/guest.e2e.test.ts. */

let servers: LocalServers;
let blobs: string;
let machine: Machine;

beforeAll(async () => {
  servers = await startServers();
  blobs = await mkdtemp(join(tmpdir(), "mom-blobs-"));
  const { files } = startParameters(machineConfig(process.env), await testGuest());
  const certificates = servers.authority;
  machine = await startMachine({ parameters: { certificates, files: { ...files, blobs } } });
});
afterAll(async () => {
  await machine?.stop();
  await servers?.close();
  await rm(blobs, { recursive: true, force: true });
});

/** How many certificates the guest was given, and when its bundle was last written, to the nanosecond. */
const FACTS =
  "grep -c BEGIN /var/lib/mom/trusted.pem; stat -c %z /etc/ssl/certs/ca-certificates.crt";

async function collectAllBlobs(): Promise<number> {
  const folders = await readdir(blobs);
  for (const name of folders) await rm(join(blobs, name), { recursive: true });
  return folders.length;
}

test("the guest is given them once for all new threads, even after their blobs were collected", async () => {
  await machine.reset();
  const first = await output(machine, FACTS);
  expect(first).toMatch(/^1\n\d{4}-/);

  // No thread was saved, so none refers to them.
  expect(await collectAllBlobs()).toBeGreaterThan(0);
  await machine.reset();
  expect(await output(machine, `x=kept; echo file >/tmp/f; ${FACTS}`)).toBe(first);
  const state = await machine.save();
  await machine.reset();
  expect(await output(machine, `echo $x; cat /tmp/f 2>/dev/null; ${FACTS}`)).toBe(`\n${first}`);
  await machine.load(state);
  expect(await output(machine, `echo $x; cat /tmp/f; ${FACTS}`)).toBe(`kept\nfile\n${first}`);
});

test("threads that begin alike draw different random numbers", async () => {
  const drawn: string[] = [];
  for (let thread = 0; thread < 3; thread++) {
    await machine.reset();
    const numbers = await output(
      machine,
      `echo $RANDOM$RANDOM; echo $SRANDOM; head -c 8 /dev/urandom | od -A n -t x8`,
    );
    drawn.push(...numbers.trim().split("\n"));
  }
  expect(drawn).toHaveLength(9);
  expect(new Set(drawn).size).toBe(9);
});
