import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Errno } from "../../workers/ninep/errno.ts";
import { integersFrom } from "../support/random.ts";
import { Client } from "./support/client.ts";
import { FrameParser } from "./support/frames.ts";
import { playSession } from "./support/session-script.ts";
import { pattern, world } from "./support/world.ts";

/**
 * Valid frames of one session, one a line in hexadecimal (corpus/session.hex), mutated and sent. Seed and counts are
 * printed; `MOM_SEED` and `MOM_FRAMES` run another round.
 */
const corpusFile = join(import.meta.dirname, "corpus/session.hex");
const seed = Number(process.env.MOM_SEED ?? 20_241_117);
const total = Number(process.env.MOM_FRAMES ?? 100_000);

function readCorpus(): Buffer[] {
  const lines = readFileSync(corpusFile, "utf8").trim().split("\n");
  return lines.map((line) => Buffer.from(line, "hex"));
}

/** Numbers where things tend to go wrong. */
const EDGES = [
  0, 1, 7, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

test("the corpus is what a session sends today", () => {
  const { client } = world();
  client.keepsFrames = true;
  playSession(client);
  expect(client.sent.map((frame) => frame.toString("hex"))).toEqual(
    readCorpus().map((frame) => frame.toString("hex")),
  );
});

test("mutated frames are each answered once, and the next session finds a sound server", {
  timeout: 300_000,
}, () => {
  const random = integersFrom(seed);
  const corpus = readCorpus();
  const limits = { bytes: 32 * 1024 * 1024, inodes: 2000 };
  const maxFids = 500;
  const malformed: string[] = [];
  const faults: Error[] = [];
  const { server, overlay, pool, client } = world({
    ...limits,
    maxFids,
    memoryBytes: 2 * 1024 * 1024,
    cacheBytes: 1024 * 1024,
    onMalformed: (reason) => malformed.push(reason),
    onFault: (error) => faults.push(error),
  });

  const counts = new Map<string, number>();
  let next = -1;
  for (let sent = 0; sent < total; ) {
    // Mostly in order and as they should be, so that fids and files are there to be reached.
    next = random(30) === 0 ? random(corpus.length) : (next + 1) % corpus.length;
    if (next === 0 && random(4) === 0) {
      overlay.load(undefined);
      server.load({ version: 1, msize: 0, attachments: [] });
    }
    const isMutated = next > 1 && random(4) === 0;
    const frame = isMutated ? mutate(corpus, next, random) : corpus[next];
    if (frame === undefined) continue;
    if (isMutated) sent++;
    const answers: FrameParser[] = [];
    server.handle(frame, (reply) => answers.push(new FrameParser(reply)));
    const [answer] = answers;
    const about = `seed ${seed}, frame ${sent}: ${frame.toString("hex").slice(0, 200)}`;
    if (answers.length !== 1 || answer === undefined)
      throw new Error(`${answers.length} answers; ${about}`);
    const errno = answer.type === 7 ? answer.u32() : 0;
    if (answer.type !== 7 && answer.type !== (frame[4] ?? 0) + 1)
      throw new Error(`wrong answer; ${about}`);
    const name = Object.entries(Errno).find(([, number]) => number === errno)?.[0] ?? "answered";
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (isMutated && sent % 10_000 === 0) {
      expect(pool.statistics.memoryBytes, about).toBeLessThanOrEqual(2 * 1024 * 1024);
      expect(server.fidCount, about).toBeLessThanOrEqual(maxFids);
      expect(overlay.usage().bytes, about).toBeLessThanOrEqual(limits.bytes);
      const before = overlay.usage();
      const state = JSON.parse(JSON.stringify({ overlay: overlay.save(), server: server.save() }));
      overlay.load(state.overlay);
      server.load(state.server);
      expect(overlay.usage(), about).toEqual(before);
    }
  }
  const shown = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`);
  console.log(`9P fuzz: ${total} mutated frames, seed ${seed}: ${shown.join(", ")}`);
  expect(faults, `seed ${seed}`).toEqual([]);

  const after = Client.mount(server);
  after.skipFids(1);
  after.mkdir(0, "after the fuzz");
  after.put("after the fuzz/file", pattern(100_000));
  expect(after.get("after the fuzz/file").equals(pattern(100_000))).toBe(true);
  client.version(8192);
  expect(server.fidCount).toBe(0);
});

function mutate(corpus: Buffer[], index: number, random: (below: number) => number): Buffer {
  let frame = Buffer.from(corpus[index] ?? []);
  const position = () => random(Math.max(1, frame.length));
  for (let times = 1 + random(3); times > 0; times--) {
    switch (random(9)) {
      case 0:
        frame[position()] = random(256);
        break;
      case 1: {
        const at = position();
        frame[at] = (frame[at] ?? 0) ^ (1 << random(8));
        break;
      }
      case 2: {
        const edge = EDGES[random(EDGES.length)] ?? 0;
        const at = 7 + random(Math.max(1, frame.length - 7));
        if (at + 4 <= frame.length) frame.writeUInt32LE(edge, at);
        break;
      }
      case 3:
        frame = frame.subarray(0, random(frame.length + 1));
        break;
      case 4:
        frame = Buffer.concat([frame, Buffer.alloc(random(64), random(256))]);
        break;
      case 5: {
        // The head of one message, the tail of another.
        const other = corpus[random(corpus.length)] ?? frame;
        frame = Buffer.concat([
          frame.subarray(0, position()),
          other.subarray(random(other.length)),
        ]);
        break;
      }
      case 6:
        frame[4] = corpus[random(corpus.length)]?.[4] ?? 0;
        break;
      case 7: {
        // Another fid that may be there.
        if (frame.length >= 11) frame.writeUInt32LE(random(40), 7);
        break;
      }
      default: {
        const at = position();
        const bytes = Buffer.alloc(random(300), random(256));
        frame = Buffer.concat([frame.subarray(0, at), bytes, frame.subarray(at)]);
      }
    }
  }
  // Most keep a right size, or nothing but the first check would ever be tried.
  if (frame.length >= 4 && random(8) > 0) frame.writeUInt32LE(frame.length);
  return frame;
}
