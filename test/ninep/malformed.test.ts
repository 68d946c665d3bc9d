import { describe, expect, test } from "vitest";
import { NinePError } from "../../workers/ninep/errno.ts";
import { NinePServer } from "../../workers/ninep/server.ts";
import { Client, errnoOf } from "./support/client.ts";
import { FrameBuilder, FrameParser } from "./support/frames.ts";
import { withChanges, world } from "./support/world.ts";

describe("malformed frames", () => {
  test.each([
    ["no bytes", Buffer.alloc(0)],
    ["half a header", Buffer.from([7, 0, 0, 0, 100])],
    ["a size below the header", Buffer.from([3, 0, 0, 0, 24, 9, 0])],
    ["a size above the frame", Buffer.from([255, 255, 255, 255, 24, 9, 0])],
    ["no fields", new FrameBuilder().frame(24, 9)],
    [
      "a string longer than the frame",
      new FrameBuilder().u32(0).u32(9).u16(1).u16(0xffff).frame(110, 9),
    ],
    ["data longer than the frame", new FrameBuilder().u32(0).u64(0).u32(0xffffffff).frame(118, 9)],
    ["bytes left over", new FrameBuilder().u32(0).u64(0).u64(0).frame(24, 9)],
    ["NOTAG", new FrameBuilder().u32(0).u64(0).frame(24, 0xffff)],
  ])("with %s get Rlerror", (_what, frame) => {
    const reasons: string[] = [];
    const { client } = world({ onMalformed: (reason) => reasons.push(reason) });
    const answer = client.raw(frame);
    expect(answer.type).toBe(7);
    expect(answer.tag).toBe(frame.length < 7 ? 0 : frame.readUInt16LE(5));
    expect(answer.u32()).toBe(71);
    expect(reasons).toHaveLength(1);
    expect(client.get("etc/hostname").toString()).toBe("guest\n");
  });

  test("unknown messages are not supported", () => {
    const { client } = world();
    for (const type of [0, 1, 6, 98, 106, 112, 114, 124, 255]) {
      expect(client.raw(new FrameBuilder().u32(0).frame(type, 3)).u32()).toBe(95);
    }
  });

  test("bytes behind the frame, which a ring's buffers may have, are not looked at", () => {
    const { client } = world();
    const frame = new FrameBuilder().u32(0).u64(0).frame(24, 9);
    expect(client.raw(Buffer.concat([frame, Buffer.alloc(100, 255)])).type).toBe(25);
  });

  test("requests before Tversion are refused", () => {
    const { overlay } = world();
    const client = new Client(new NinePServer({ attach: () => overlay }));
    expect(errnoOf(() => client.attach(0, 0))).toBe("EPROTO");
  });
});

test("a fault of the file system is an I/O error and told, not thrown", () => {
  const { overlay } = world();
  const broken = withChanges(overlay, {
    getattr: () => {
      throw new TypeError("bug");
    },
  });
  const faults: Error[] = [];
  const server = new NinePServer({ attach: () => broken, onFault: (error) => faults.push(error) });
  const client = Client.mount(server);
  expect(errnoOf(() => client.getattr(0))).toBe("EIO");
  expect(faults[0]).toBeInstanceOf(NinePError);
  expect(faults[0]?.cause).toBeInstanceOf(TypeError);
});

test("a reply is good until the next one", () => {
  const { server } = world();
  const frames: FrameParser[] = [];
  for (const tag of [1, 2]) {
    server.handle(new FrameBuilder().u32(0).u64(0).frame(24, tag), (frame) =>
      frames.push(new FrameParser(frame)),
    );
  }
  expect(frames.map((frame) => frame.tag)).toEqual([1, 2]);
});
