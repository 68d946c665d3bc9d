import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

/** A Lua script, which Redis runs as one step: nobody sees half of it, and a crash leaves none of it or all. */
export class Script {
  readonly #lua: string;
  readonly #sha: string;

  constructor(lua: string) {
    this.#lua = lua;
    this.#sha = createHash("sha1").update(lua).digest("hex");
  }

  async run(redis: Redis, keys: string[], args: (string | number)[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await redis.eval(this.#lua, keys.length, ...keys, ...args);
    }
  }
}

/**
 * Put a turn into its thread's mailbox, once.
 * KEYS seen, mailbox, waiting; ARGV turn JSON, seen for (ms), thread key, now (ms), most turns.
 * Returns {1 accepted | 0 seen before | -1 full, turns in the mailbox}.
 */
export const SUBMIT = `
local length = redis.call('LLEN', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then return {0, length} end
if length >= tonumber(ARGV[5]) then return {-1, length} end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 'NX', ARGV[4], ARGV[3])
return {1, length + 1}`;

/**
 * Start the turn at the head of the mailbox: it stays there, with a new fencing token.
 * KEYS thread, mailbox, waiting; ARGV thread key, worker id, now (ms).
 * Returns nil, or {turn JSON, version, how often it was started, who stopped it or ''}.
 */
export const BEGIN = `
local head = redis.call('LINDEX', KEYS[2], 0)
if not head then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return nil
end
local id = cjson.decode(head).id
local starts = 1
if redis.call('HGET', KEYS[1], 'turn') == id then
  starts = tonumber(redis.call('HGET', KEYS[1], 'starts') or '0') + 1
else
  redis.call('HDEL', KEYS[1], 'stoppedBy')
end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'turn', id, 'worker', ARGV[2], 'starts', starts)
return {head, version, starts, redis.call('HGET', KEYS[1], 'stoppedBy') or ''}`;

/**
 * Ask whether a started turn is still ours, and whether somebody wants it stopped.
 * KEYS thread; ARGV version. Returns nil when another worker took it, else who stopped it or ''.
 */
export const WATCH = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return nil end
return redis.call('HGET', KEYS[1], 'stoppedBy') or ''`;

/**
 * Close a turn: out of the mailbox and into the journal in one step, if it is still ours.
 * What must change together with a turn's end belongs in here.
 * KEYS thread, mailbox, waiting, journal; ARGV version, turn id, thread key, entry JSON, entries to keep.
 * Returns the number of turns left, or -1 when another worker took the turn.
 * Sent twice (the connection broke before the answer came), it answers as it did the first time.
 */
export const COMPLETE = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
if redis.call('HGET', KEYS[1], 'completed') == ARGV[2] then return redis.call('LLEN', KEYS[2]) end
local head = redis.call('LINDEX', KEYS[2], 0)
if not head or cjson.decode(head).id ~= ARGV[2] then return -1 end
redis.call('LPOP', KEYS[2])
redis.call('HDEL', KEYS[1], 'turn', 'worker', 'starts', 'stoppedBy')
redis.call('HSET', KEYS[1], 'completed', ARGV[2])
redis.call('RPUSH', KEYS[4], ARGV[4])
redis.call('LTRIM', KEYS[4], -tonumber(ARGV[5]), -1)
local left = redis.call('LLEN', KEYS[2])
if left == 0 then redis.call('ZREM', KEYS[3], ARGV[3]) end
return left`;

/**
 * Give a started turn back unfinished, as if it had not been started.
 * KEYS thread; ARGV version. Returns 1, or 0 when another worker took it.
 */
export const RELEASE = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'worker')
redis.call('HINCRBY', KEYS[1], 'starts', -1)
return 1`;

/**
 * Stop the running turn, or say which one would be next.
 * KEYS thread, mailbox; ARGV channel, thread key, user id.
 * Returns {'running'}, {'queued', turn JSON} or {'nothing'}.
 * The mark in the hash is what counts; the publication only makes it quick.
 */
export const STOP = `
local head = redis.call('LINDEX', KEYS[2], 0)
if not head then return {'nothing'} end
if redis.call('HEXISTS', KEYS[1], 'worker') == 0 then return {'queued', head} end
redis.call('HSET', KEYS[1], 'stoppedBy', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {'running'}`;

/**
 * Take a turn that has not started out of its mailbox.
 * KEYS thread, mailbox, waiting, journal; ARGV turn id, thread key, entry JSON, entries to keep.
 * Returns 1, or 0 when it has started or is gone meanwhile.
 */
export const WITHDRAW = `
if redis.call('HEXISTS', KEYS[1], 'worker') == 1 then return 0 end
local head = redis.call('LINDEX', KEYS[2], 0)
if not head or cjson.decode(head).id ~= ARGV[1] then return 0 end
redis.call('LPOP', KEYS[2])
redis.call('HDEL', KEYS[1], 'turn', 'starts', 'stoppedBy')
redis.call('RPUSH', KEYS[4], ARGV[3])
redis.call('LTRIM', KEYS[4], -tonumber(ARGV[4]), -1)
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('ZREM', KEYS[3], ARGV[2]) end
return 1`;
