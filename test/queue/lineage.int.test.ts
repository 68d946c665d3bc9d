import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type HeadMove, LINEAGE_STEPS, snapshotsOf } from "../../src/queue/lineage.ts";
import { Mailboxes, type StartedTurn } from "../../src/queue/mailbox.ts";
import { journalEntry } from "../../src/queue/outcome.ts";
import { integersFrom, seed } from "../support/random.ts";
import { done, prefix, turn } from "./support.ts";
import { QueueWorld } from "./world.ts";

const THREAD = "T1-C1-1";
const FORK = "T1-C1-2";

let world: QueueWorld;
let mailboxes: Mailboxes;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());
beforeEach(() => {
  mailboxes = new Mailboxes(world.client(), prefix());
});

async function begin(command = "x", threadTs = "1"): Promise<StartedTurn> {
  await mailboxes.submit(turn(threadTs, command), 0);
  const started = await mailboxes.begin(`T1-C1-${threadTs}`, "w");
  if (!started) throw new Error("no turn");
  return started;
}

function complete(started: StartedTurn, move?: HeadMove, finishedAtMs = 1) {
  const run = { startedAtMs: 0, finishedAtMs, workerId: "w", attempt: 1 };
  return mailboxes.complete(started, journalEntry(started.turn, done, run), move);
}

async function move(change: HeadMove | undefined, threadTs = "1"): Promise<void> {
  expect(await complete(await begin("x", threadTs), change)).toBe(0);
}

function commit(snapshot: string | null): HeadMove {
  return { kind: "commit", snapshot };
}

/** The state that the next turn of a thread starts from. */
async function head(threadTs = "1"): Promise<string | null> {
  const started = await begin("look", threadTs);
  await complete(started);
  return started.position.head;
}

test("a turn starts from the state that the last closed turn led to, a new thread from the base", async () => {
  expect(await head()).toBeNull();
  await move(commit("s1"));
  await move(commit("s2"));
  expect(await head()).toBe("s2");
  await move(undefined);
  expect(await head()).toBe("s2");
});

test("undo goes back to the base and no further, redo on to the newest and no further", async () => {
  for (const snapshot of ["s1", "s2", "s3"]) await move(commit(snapshot));
  const heads: (string | null)[] = [];
  for (const kind of ["undo", "undo", "undo", "undo", "redo", "redo", "redo", "redo"] as const) {
    await move({ kind });
    heads.push(await head());
  }
  expect(heads).toEqual(["s2", "s1", null, null, "s1", "s2", "s3", "s3"]);
});

test("a turn is told what an undo takes back, where it leads, and what a redo does again", async () => {
  for (const snapshot of ["s1", "s2", "s3"]) await move(commit(snapshot));
  await move({ kind: "undo" });
  const { position } = await begin();
  expect(position).toMatchObject({
    head: "s2",
    undo: { step: { snapshot: "s2", userId: "U1", command: "x" }, to: "s1" },
    redo: { snapshot: "s3" },
  });
});

test("a new state after an undo ends what could be done again", async () => {
  for (const snapshot of ["s1", "s2", "s3"]) await move(commit(snapshot));
  await move({ kind: "undo" });
  await move({ kind: "undo" });
  await move(commit("s4"));
  await move({ kind: "redo" });
  expect(await head()).toBe("s4");
  expect(snapshotsOf(await mailboxes.lineage(THREAD))).toEqual(["s1", "s4"]);
});

test("a reset leads to the base and can be undone", async () => {
  await move(commit("s1"));
  await move(commit(null));
  expect(await head()).toBeNull();
  await move({ kind: "undo" });
  expect(await head()).toBe("s1");
});

test("a fork begins at the thread's state, has a past of its own, and leaves the thread where it is", async () => {
  await move(commit("s1"));
  await move(commit("s2"));
  await move({ kind: "undo" });
  await move({ kind: "fork", threadKey: FORK });
  expect(await head("2")).toBe("s1");
  await move({ kind: "undo" }, "2");
  expect(await head("2")).toBe("s1");
  await move(commit("f1"), "2");
  expect([await head(), await head("2")]).toEqual(["s1", "f1"]);
  await move({ kind: "redo" });
  expect(await head()).toBe("s2");
  expect((await mailboxes.journal(FORK, 1)).length).toBe(1);
});

test("a worker that lost its turn moves nothing, however it moves", async () => {
  await move(commit("s1"));
  const slow = await begin();
  const fast = await mailboxes.begin(THREAD, "fast");
  if (!fast) throw new Error("no turn");
  const moves: HeadMove[] = [commit("bad"), { kind: "undo" }, { kind: "fork", threadKey: FORK }];
  for (const each of moves) expect(await complete(slow, each)).toBe("lost");
  await complete(fast, commit("s2"));
  expect(await complete(slow, commit("bad"))).toBe("lost");
  expect(snapshotsOf(await mailboxes.lineage(THREAD))).toEqual(["s1", "s2"]);
  expect((await mailboxes.threads(10)).map(({ threadKey }) => threadKey)).toEqual([THREAD]);
});

test("a completion sent twice moves the head once", async () => {
  for (const snapshot of ["s1", "s2", "s3"]) await move(commit(snapshot));
  const started = await begin();
  await complete(started, { kind: "undo" });
  await complete(started, { kind: "undo" });
  expect(await head()).toBe("s2");
});

test("the oldest states are forgotten, and the newest of them becomes the root", async () => {
  const ids = Array.from({ length: LINEAGE_STEPS + 3 }, (_, index) => `s${index}`);
  for (const id of ids) await move(commit(id));
  const { root, at, steps } = await mailboxes.lineage(THREAD);
  expect([root, at, steps.length]).toEqual(["s2", LINEAGE_STEPS, LINEAGE_STEPS]);
});

test("random moves end where a list and an index end", async () => {
  const random = integersFrom(seed);
  let states: (string | null)[] = [null];
  let at = 0;
  for (let step = 0; step < 300; step++) {
    const choice = random(5);
    if (choice < 2) {
      const snapshot = choice === 0 ? null : `s${step}`;
      await move(commit(snapshot));
      states = [...states.slice(0, at + 1), snapshot];
      at = states.length - 1;
    } else if (choice < 4) {
      await move({ kind: "undo" });
      at = Math.max(0, at - 1);
    } else {
      await move({ kind: "redo" });
      at = Math.min(states.length - 1, at + 1);
    }
    expect((await begin()).position.head, `MOM_SEED=${seed}, step ${step}`).toBe(states[at]);
    const again = await mailboxes.begin(THREAD, "w");
    if (again) await complete(again);
  }
});

test("a thread is forgotten when it is idle and not used since, and then starts from the base", async () => {
  await complete(await begin(), commit("s1"), 1_000);
  expect(await mailboxes.forget(THREAD, 999)).toBe("in use");
  const running = await begin();
  expect(await mailboxes.forget(THREAD, "any")).toBe("in use");
  await complete(running, undefined, 2_000);
  expect(await mailboxes.forget(THREAD, 2_000)).toBe("forgotten");
  expect(await mailboxes.forget(THREAD, "any")).toBe("unknown");
  expect(await mailboxes.threads(10)).toEqual([]);
  expect(await mailboxes.journal(THREAD, 10)).toEqual([]);
  const next = await begin();
  expect(next.position.head).toBeNull();
  expect(next.version).toBeGreaterThan(running.version);
});

test("a thread that a worker holds is not begun elsewhere, and goes on from what it was let go with", async () => {
  const started = await begin();
  await complete(started, commit("s1"));
  const closed = {
    turnId: started.turn.id,
    threadKey: THREAD,
    version: started.version,
    snapshot: "s1",
  };
  expect(await mailboxes.hold(closed, "w", 60_000)).toBe(true);
  await mailboxes.submit(turn("1", "x"), 0);
  await expect(mailboxes.begin(THREAD, "v")).rejects.toMatchObject({ code: "HELD" });
  expect(await mailboxes.letGo(closed, "w", "s1-later")).toBe(true);
  // The answer was lost, and it is said again.
  expect(await mailboxes.letGo(closed, "w", "s1-later")).toBe(true);
  const next = await mailboxes.begin(THREAD, "v");
  expect(next?.position).toMatchObject({ head: "s1-later", undo: { to: null } });
  const { steps } = await mailboxes.lineage(THREAD);
  expect(steps).toEqual([
    { snapshot: "s1-later", turnId: started.turn.id, userId: "U1", command: "x", finishedAtMs: 1 },
  ]);
});

test("a hold ends by itself, and the worker that had it changes nothing any more", async () => {
  const started = await begin();
  await complete(started, commit("s1"));
  const closed = {
    turnId: started.turn.id,
    threadKey: THREAD,
    version: started.version,
    snapshot: "s1",
  };
  await mailboxes.hold(closed, "w", 20);
  await mailboxes.submit(turn("1", "x"), 0);
  await expect
    .poll(() => mailboxes.begin(THREAD, "v").catch(() => undefined))
    .toMatchObject({ position: { head: "s1" } });
  expect(await mailboxes.hold(closed, "w", 60_000)).toBe(false);
  expect(await mailboxes.letGo(closed, "w", "s1-later")).toBe(false);
  expect((await mailboxes.lineage(THREAD)).steps[0]?.snapshot).toBe("s1");
});

/** As a worker does that hears that somebody waits for the thread. */
async function wake(...asked: Parameters<Mailboxes["wake"]>) {
  await mailboxes.noteAwaited(asked[0], 60_000);
  return mailboxes.wake(...asked);
}

test("a thread that sleeps is woken by one worker, and goes on from what it was let go with", async () => {
  expect(await wake(THREAD, "w", 60_000, 10_000)).toBeUndefined();
  const started = await begin();
  await complete(started, commit("s1"));
  const woken = await wake(THREAD, "w", 60_000, 10_000);
  expect(woken).toMatchObject({ threadKey: THREAD, snapshot: "s1", turnId: started.turn.id });
  expect(await wake(THREAD, "v", 60_000, 20_000)).toBeUndefined();
  await mailboxes.submit(turn("1", "x"), 0);
  await expect(mailboxes.begin(THREAD, "v")).rejects.toMatchObject({ code: "HELD" });
  expect(await mailboxes.letGo(woken ?? expect.fail(), "w", "s1-later")).toBe(true);
  expect((await mailboxes.begin(THREAD, "v"))?.position.head).toBe("s1-later");
  // It counts as used.
  expect(await mailboxes.threads(1)).toEqual([{ threadKey: THREAD, lastUsedMs: 10_000 }]);
});

test("a thread with a turn is not woken, nor one whose turn has just ended", async () => {
  await complete(await begin(), commit("s1"), 10_000);
  expect(await wake(THREAD, "w", 60_000, 10_100)).toBeUndefined();
  await mailboxes.submit(turn("1", "x"), 0);
  expect(await wake(THREAD, "w", 60_000, 20_000)).toBeUndefined();
});

test("who woke a thread and lost it changes nothing any more", async () => {
  await complete(await begin(), commit("s1"));
  const lost = (await wake(THREAD, "w", 20, 10_000)) ?? expect.fail();
  await expect.poll(() => wake(THREAD, "v", 60_000, 20_000)).toBeDefined();
  expect(await mailboxes.hold(lost, "w", 60_000)).toBe(false);
  expect(await mailboxes.letGo(lost, "w", "s1-later")).toBe(false);
  expect((await mailboxes.lineage(THREAD)).steps[0]?.snapshot).toBe("s1");
});

test("a fork that has had no turn is woken in its first state, and keeps what it comes to", async () => {
  await move(commit("s1"));
  await move({ kind: "fork", threadKey: FORK });
  const woken = (await wake(FORK, "w", 60_000, 10_000)) ?? expect.fail();
  expect(woken).toMatchObject({ snapshot: "s1" });
  expect(await mailboxes.letGo(woken, "w", "s1-later")).toBe(true);
  expect(await head("2")).toBe("s1-later");
  expect(await head("1")).toBe("s1");
});

test("a thread in a new computer is woken in the base, and let go without a trace", async () => {
  await move(commit("s1"));
  await move(commit(null));
  const woken = (await wake(THREAD, "w", 60_000, 10_000)) ?? expect.fail();
  expect(woken.snapshot).toBeNull();
  expect(await mailboxes.letGo(woken, "w")).toBe(true);
  expect(await head()).toBeNull();
});

test("a thread that nobody waits for any more is not woken", async () => {
  await complete(await begin(), commit("s1"));
  expect(await mailboxes.wake(THREAD, "w", 60_000, 10_000)).toBeUndefined();
  await mailboxes.noteAwaited(THREAD, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(await mailboxes.wake(THREAD, "w", 60_000, 10_000)).toBeUndefined();
  expect(await wake(THREAD, "w", 60_000, 10_000)).toBeDefined();
});
