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
 * KEYS thread, mailbox, waiting, lineage, hold; ARGV thread key, worker id, channel of wanted threads.
 * Returns nil, 0 when another worker holds the thread (it has been asked to let go), or {turn JSON, version, how often it was started, who stopped it or '', root state or '', and the
 * lineage's step before the head's, the head's, and the one after it, each JSON or ''}.
 */
export const BEGIN = `
local head = redis.call('LINDEX', KEYS[2], 0)
if not head then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return nil
end
local holder = redis.call('GET', KEYS[5])
if holder and holder ~= ARGV[2] then
  redis.call('PUBLISH', ARGV[3], ARGV[1])
  return 0
end
redis.call('DEL', KEYS[5])
local id = cjson.decode(head).id
local starts = 1
if redis.call('HGET', KEYS[1], 'turn') == id then
  starts = tonumber(redis.call('HGET', KEYS[1], 'starts') or '0') + 1
else
  redis.call('HDEL', KEYS[1], 'stoppedBy')
end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'turn', id, 'worker', ARGV[2], 'starts', starts)
redis.call('PERSIST', KEYS[1])
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
local function step(number)
  if number < 1 then return '' end
  return redis.call('LINDEX', KEYS[4], number - 1) or ''
end
return {head, version, starts, redis.call('HGET', KEYS[1], 'stoppedBy') or '',
  redis.call('HGET', KEYS[1], 'root') or '', step(at - 1), step(at), step(at + 1)}`;

/**
 * Ask whether a started turn is still ours, and whether somebody wants it stopped.
 * KEYS thread; ARGV version. Returns nil when another worker took it, else who stopped it or ''.
 */
export const WATCH = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return nil end
return redis.call('HGET', KEYS[1], 'stoppedBy') or ''`;

/**
 * Close a turn, if it is still ours: out of the mailbox, into the journal, and the thread's head on to the state
 * that the turn led to, in one step. A worker that dies before has changed nothing.
 * KEYS thread, mailbox, waiting, journal, lineage, threads, then for a fork: thread and journal of the new thread.
 * ARGV version, turn id, thread key, entry JSON, entries to keep, now (ms), move or '', step JSON (of a commit) or
 * the new thread's key (of a fork), steps to keep.
 * Returns the number of turns left, or -1 when another worker took the turn.
 * Sent twice (the connection broke before the answer came), it answers as it did the first time.
 */
export const COMPLETE = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
if redis.call('HGET', KEYS[1], 'completed') == ARGV[2] then return redis.call('LLEN', KEYS[2]) end
local head = redis.call('LINDEX', KEYS[2], 0)
if not head or cjson.decode(head).id ~= ARGV[2] then return -1 end

local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
local steps = redis.call('LLEN', KEYS[5])
local function snapshot(step)
  local id = cjson.decode(step).snapshot
  return type(id) == 'string' and id or ''
end
if ARGV[7] == 'commit' then
  for _ = at + 1, steps do redis.call('RPOP', KEYS[5]) end
  redis.call('RPUSH', KEYS[5], ARGV[8])
  at = at + 1
  while at > tonumber(ARGV[9]) do
    redis.call('HSET', KEYS[1], 'root', snapshot(redis.call('LPOP', KEYS[5])))
    at = at - 1
  end
elseif ARGV[7] == 'undo' and at > 0 then
  at = at - 1
elseif ARGV[7] == 'redo' and at < steps then
  at = at + 1
elseif ARGV[7] == 'fork' then
  local state = redis.call('HGET', KEYS[1], 'root') or ''
  if at > 0 then state = snapshot(redis.call('LINDEX', KEYS[5], at - 1)) end
  redis.call('HSET', KEYS[7], 'root', state)
  redis.call('RPUSH', KEYS[8], ARGV[4])
  redis.call('ZADD', KEYS[6], ARGV[6], ARGV[8])
end
redis.call('HSET', KEYS[1], 'at', at, 'completed', ARGV[2])

redis.call('LPOP', KEYS[2])
redis.call('HDEL', KEYS[1], 'turn', 'worker', 'starts', 'stoppedBy')
redis.call('RPUSH', KEYS[4], ARGV[4])
redis.call('LTRIM', KEYS[4], -tonumber(ARGV[5]), -1)
redis.call('ZADD', KEYS[6], ARGV[6], ARGV[3])
local left = redis.call('LLEN', KEYS[2])
if left == 0 then redis.call('ZREM', KEYS[3], ARGV[3]) end
return left`;

/**
 * Forget a thread that has nothing to do and was not used since: its states, its journal, its place in the list, and
 * the names of its ports.
 * The version stays for a while, so that no worker of its earlier life is taken for one of a new life.
 * KEYS thread, mailbox, journal, lineage, threads, exposed, exposures; ARGV thread key, not used since (ms) or 'any', keep the version
 * for (ms). Returns 1 forgotten | 0 in use | -1 no such thread.
 */
export const FORGET = `
local used = redis.call('ZSCORE', KEYS[5], ARGV[1])
if redis.call('LLEN', KEYS[2]) > 0 then return 0 end
if not used then return -1 end
if ARGV[2] ~= 'any' and tonumber(used) > tonumber(ARGV[2]) then return 0 end
local version = redis.call('HGET', KEYS[1], 'version')
for _, name in ipairs(redis.call('HVALS', KEYS[6])) do redis.call('HDEL', KEYS[7], name) end
redis.call('DEL', KEYS[1], KEYS[3], KEYS[4], KEYS[6])
redis.call('ZREM', KEYS[5], ARGV[1])
if version then
  redis.call('HSET', KEYS[1], 'version', version)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1`;

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
 * KEYS thread, mailbox, waiting, journal, threads; ARGV turn id, thread key, entry JSON, entries to keep, now (ms).
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
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[2])
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('ZREM', KEYS[3], ARGV[2]) end
return 1`;

/**
 * Hold a thread between its turns, or go on holding it: no other worker starts a turn of it before it is let go.
 * KEYS thread, hold; ARGV version of the turn that was closed last, worker id, for so long (ms).
 * Returns 1, or 0 when a turn was started since.
 */
export const HOLD = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1`;

/**
 * Take a thread that sleeps and has nothing to do, to let its programs go on. Like a turn it makes whoever had the
 * thread before a stranger to it.
 * KEYS thread, mailbox, lineage, hold, threads, awaited; ARGV thread key, worker id, hold for (ms), now (ms), rest of a
 * turn (ms). Returns nil when nobody waits for it any more, or it has a turn, or had one just now, whose worker may be about to go on with it, or another worker,
 * or is not known, else {version, root state or '', the head's
 * step JSON or ''}.
 */
export const WAKE = `
if redis.call('EXISTS', KEYS[6]) == 0 then return nil end
if redis.call('LLEN', KEYS[2]) > 0 then return nil end
local used = redis.call('ZSCORE', KEYS[5], ARGV[1])
if not used then return nil end
local agoMs = tonumber(ARGV[4]) - tonumber(used)
if agoMs >= 0 and agoMs < tonumber(ARGV[5]) then return nil end
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[2] then return nil end
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[5], 'XX', ARGV[4], ARGV[1])
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
return {redis.call('HINCRBY', KEYS[1], 'version', 1), redis.call('HGET', KEYS[1], 'root') or '',
  at > 0 and redis.call('LINDEX', KEYS[3], at - 1) or ''}`;

/**
 * Let a thread go that was held. What it came to meanwhile takes the place of the state that it was in.
 * KEYS thread, hold, lineage; ARGV version, worker id, snapshot that it was in or '' for the base, snapshot that it is
 * in now or '' for the same.
 * Returns 1, or 0 when the thread is not where it was left any more.
 */
export const LET_GO = `
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
local step
local state = redis.call('HGET', KEYS[1], 'root') or ''
if at > 0 then
  local json = redis.call('LINDEX', KEYS[3], at - 1)
  if not json then return 0 end
  step = cjson.decode(json)
  state = type(step.snapshot) == 'string' and step.snapshot or ''
end
if ARGV[4] ~= '' and state == ARGV[4] then return 1 end
if state ~= ARGV[3] then return 0 end
if ARGV[4] == '' then return 1 end
if step then
  step.snapshot = ARGV[4]
  redis.call('LSET', KEYS[3], at - 1, cjson.encode(step))
else
  redis.call('HSET', KEYS[1], 'root', ARGV[4])
end
return 1`;
