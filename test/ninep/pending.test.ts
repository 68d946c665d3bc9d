import { expect, test } from "vitest";
import { NinePError } from "../../workers/ninep/errno.ts";
import { PendingRead } from "../../workers/ninep/filesystem.ts";
import { NinePServer } from "../../workers/ninep/server.ts";
import { Client } from "./support/client.ts";
import { FrameBuilder, FrameParser } from "./support/frames.ts";
import { withChanges, world } from "./support/world.ts";

/** An overlay whose files answer reads later. */
function slowWorld() {
  const { overlay } = world();
  const waiting: PendingRead[] = [];
  let cancelled = 0;
  const slow = withChanges(overlay, {
    read: (_ino, _offset, into) => {
      const pending = new PendingRead(into.length, () => cancelled++);
      waiting.push(pending);
      return pending;
    },
  });
  const server = new NinePServer({ attach: () => slow });
  const client = Client.mount(server);
  const fid = client.at("big");
  client.open(fid, 0);
  const answers: FrameParser[] = [];
  const gone: number[] = [];
  const read = (tag: number, of = fid) => {
    const frame = new FrameBuilder().u32(of).u64(0).u32(100).frame(116, tag);
    server.handle(
      frame,
      (reply) => answers.push(new FrameParser(reply)),
      () => gone.push(tag),
    );
  };
  return { server, client, fid, waiting, answers, gone, read, cancelled: () => cancelled };
}

test("a read that waits is answered when its data comes, in any order", () => {
  const { server, client, waiting, answers, read } = slowWorld();
  read(10);
  read(11);
  expect(server.pendingCount).toBe(2);
  client.getattr(0);
  waiting[1]?.complete(Buffer.from("second"));
  waiting[0]?.fail(new NinePError("EIO"));
  expect(answers.map(({ type, tag }) => [type, tag])).toEqual([
    [117, 11],
    [7, 10],
  ]);
  expect(answers[0]?.bytes(answers[0].u32()).toString()).toBe("second");
  expect(server.pendingCount).toBe(0);
});

test("a flushed read is never answered, and its transport is told", () => {
  const { server, client, waiting, answers, gone, read, cancelled } = slowWorld();
  read(10);
  client.flush(10);
  waiting[0]?.complete(Buffer.from("late"));
  expect({ answers, gone, cancelled: cancelled(), pending: server.pendingCount }).toEqual({
    answers: [],
    gone: [10],
    cancelled: 1,
    pending: 0,
  });
  client.flush(10);
  client.flush(999);
});

test("the tag of a waiting read is in use", () => {
  const { answers, read } = slowWorld();
  read(10);
  read(10);
  expect(answers.map(({ type, tag }) => [type, tag])).toEqual([[7, 10]]);
});

test("clunking the fid answers what waits on it", () => {
  const { client, server, fid, answers, read, cancelled } = slowWorld();
  read(10);
  client.clunk(fid);
  expect(answers[0]?.u32()).toBe(9);
  expect([server.pendingCount, cancelled()]).toEqual([0, 1]);
});

test("a new session and a loaded one drop waiting reads", () => {
  const { client, server, gone, read, fid } = slowWorld();
  const state = server.save();
  read(10);
  expect(() => server.save()).toThrow(/waiting/);
  expect(server.save(1)).toEqual(state);
  server.load(state);
  expect(gone).toEqual([10]);
  read(11, fid);
  client.version(65536);
  expect(gone).toEqual([10, 11]);
});

test("no more reads wait than a bound", () => {
  const { server, answers, read } = slowWorld();
  for (let tag = 100; tag < 1300; tag++) read(tag);
  expect(server.pendingCount).toBe(1024);
  expect(answers).toHaveLength(176);
  expect(answers[0]?.u32()).toBe(24);
});

test("more data than was asked for is the file system's mistake", () => {
  expect(() => new PendingRead(3).complete(Buffer.alloc(4))).toThrow(RangeError);
});
