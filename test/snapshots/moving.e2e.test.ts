import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { openStore } from "../../workers/open-store.ts";
import type { Snapshot, SnapshotStore } from "../../workers/snapshots/store.ts";
import { testGuest } from "../support/guest.ts";
import { startS3, type TestS3 } from "./support/s3.ts";

interface Host {
  folder: string;
  machine: Machine;
  store: SnapshotStore;
}

let s3: TestS3;
const hosts: Host[] = [];

beforeAll(async () => {
  s3 = await startS3();
  const bucket = { kind: "s3" as const, ...(await s3.bucket()) };
  const guest = await testGuest();
  for (let i = 0; i < 2; i++) {
    const folder = await mkdtemp(join(tmpdir(), "mom-moving-"));
    const parameters = startParameters({ ...machineConfig(process.env), dataDir: folder }, guest);
    const machine = await Machine.start(parameters);
    hosts.push({ folder, machine, store: openStore(bucket, folder).snapshots });
  }
});

afterAll(async () => {
  for (const { machine, folder } of hosts) {
    await machine.stop();
    await rm(folder, { recursive: true, force: true });
  }
  await s3.stop();
});

test("a thread whose turns alternate between two hosts that share a bucket alone goes on as on one", async () => {
  let id: string | undefined;
  const stored: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const { machine, store } = hosts[turn % 2] ?? expect.fail("no host");
    const from: Snapshot | undefined = id === undefined ? undefined : await store.load(id);
    if (from) await machine.load(from);
    else await machine.reset();
    const { stdout } = await machine.exec(
      `n=$((n + 1)); echo line $n >> log; head -c 300000 /dev/urandom > f$n; sha256sum f* | sha256sum >> sums; echo "$n $(wc -l < log)"; python3 -c 'print(2**70 + ${turn})'`,
    );
    expect(Buffer.from(stdout).toString()).toBe(
      `${turn + 1} ${turn + 1}\n${2n ** 70n + BigInt(turn)}\n`,
    );
    const { base, data, blobs } = await machine.save();
    const next = { base, data, blobs, owner: "o", parent: id ?? null, turnId: `${turn}` };
    const kept = await store.save(next, from);
    id = kept.id;
    stored.push(kept.storedBytes);
  }
  const { machine, store } = hosts[0] ?? expect.fail("no host");
  await machine.load(await store.load(id ?? ""));
  const check = await machine.exec("tail -n 1 sums; sha256sum f* | sha256sum");
  const [last, now] = Buffer.from(check.stdout).toString().trim().split("\n");
  expect(now).toBe(last);
  // Each turn writes 300 KB that do not compress; what earlier turns left is not stored again.
  expect(Math.max(...stored.slice(2))).toBeLessThan(4_000_000);
});
