import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { z } from "zod";
import type { CarrierAddress } from "./carriage.ts";
import { QueueError } from "./errors.ts";
import { type Keys, keys } from "./keys.ts";
import { Script } from "./scripts.ts";

/** A port of a thread's computer that has a name. */
export interface ExposedPort {
  port: number;
  /** 32 characters, `a` to `z` and `2` to `7`: one label of a host name. Who knows it may use the port. */
  name: string;
}

/** What a name stands for. */
export interface Exposure {
  threadKey: string;
  port: number;
}

/** Where a thread is now. */
export type ThreadPlace =
  /** In the machine of the worker with this address, or on its way there. */
  | { kind: "awake"; carrier: CarrierAddress }
  | { kind: "asleep" }
  /** It was tried a moment ago and cannot be done. */
  | { kind: "unwakable" };

/** Of one thread. */
export const MOST_EXPOSED_PORTS = 8;
const NAME_BYTES = 20;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * The names of ports that threads expose. They belong to the thread, not to a state of its computer: undo and reset leave
 * them, a fork has none, and they go with the thread.
 */
export class Exposures {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #add = new Script(EXPOSE);
  readonly #remove = new Script(UNEXPOSE);

  constructor(redis: Redis, prefix: string, random: (bytes: number) => Uint8Array = randomBytes) {
    this.#redis = redis;
    this.#keys = keys(prefix);
    this.#random = random;
  }

  /** Throws `QueueError` `TOO_MANY_PORTS` or `UNUSED_THREAD`. */
  async add(threadKey: string, port: number): Promise<ExposedPort> {
    const { threads, mailbox, exposed, exposures } = this.#keys;
    const reply = await this.#add.run(
      this.#redis,
      [threads, mailbox(threadKey), exposed(threadKey), exposures],
      [
        threadKey,
        port,
        base32(this.#random(NAME_BYTES)),
        JSON.stringify({ threadKey, port }),
        MOST_EXPOSED_PORTS,
      ],
    );
    const [result, name] = addReply.parse(reply);
    if (result === "full") {
      throw new QueueError(
        "TOO_MANY_PORTS",
        `${MOST_EXPOSED_PORTS} ports of this thread are exposed already: end one with \`expose PORT off\`.`,
      );
    }
    if (result === "unused") {
      throw new QueueError(
        "UNUSED_THREAD",
        "This thread has no computer yet: start a server in it first.",
      );
    }
    return { port, name };
  }

  async remove(threadKey: string, port: number): Promise<boolean> {
    const { exposed, exposures } = this.#keys;
    const reply = await this.#remove.run(this.#redis, [exposed(threadKey), exposures], [port]);
    return reply === 1;
  }

  async list(threadKey: string): Promise<ExposedPort[]> {
    const names = await this.#redis.hgetall(this.#keys.exposed(threadKey));
    return Object.entries(names)
      .map(([port, name]) => ({ port: Number(port), name }))
      .sort((a, b) => a.port - b.port);
  }

  async find(name: string): Promise<Exposure | undefined> {
    const json = await this.#redis.hget(this.#keys.exposures, name);
    return json === null ? undefined : exposureSchema.parse(JSON.parse(json));
  }

  /** Which worker has the thread: one that runs a turn of it, or one in whose machine its programs go on. */
  async place(threadKey: string): Promise<ThreadPlace> {
    const { thread, hold, unwakable, carrier } = this.#keys;
    const [worker, holder, failed] = await Promise.all([
      this.#redis.hget(thread(threadKey), "worker"),
      this.#redis.get(hold(threadKey)),
      this.#redis.exists(unwakable(threadKey)),
    ]);
    const workerId = worker ?? holder;
    const json = workerId === null ? null : await this.#redis.get(carrier(workerId));
    if (json !== null) {
      return { kind: "awake", carrier: carrierSchema.parse(JSON.parse(json)) };
    }
    return { kind: failed === 1 ? "unwakable" : "asleep" };
  }
}

const carrierSchema = z.object({ host: z.string(), port: z.number(), secret: z.string() });
const addReply = z.tuple([z.enum(["exposed", "full", "unused"]), z.string()]);
const exposureSchema = z.object({ threadKey: z.string(), port: z.number() });

/** RFC 4648 section 6 in lower case; for lengths that are a multiple of five bytes. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return text;
}

/**
 * Give a port of a thread a name, if it has none.
 * KEYS threads, mailbox, exposed, exposures; ARGV thread key, port, new name, exposure JSON, most ports of a thread.
 * Returns {'exposed', the port's name}, {'full', ''}, or {'unused', ''} for a thread that has had no turn and has none.
 */
const EXPOSE = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('LLEN', KEYS[2]) == 0 then return {'unused', ''} end
local name = redis.call('HGET', KEYS[3], ARGV[2])
if name then return {'exposed', name} end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[5]) then return {'full', ''} end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
return {'exposed', ARGV[3]}`;

/** Take a port's name away. KEYS exposed, exposures; ARGV port. Returns 1, or 0 where it had none. */
const UNEXPOSE = `
local name = redis.call('HGET', KEYS[1], ARGV[1])
if not name then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], name)
return 1`;
