import { NinePError } from "../errno.ts";
import type { FrameReader } from "../frame.ts";
import type { Lock } from "../locks.ts";
import { LOCK_STATUS, LOCK_TYPE } from "../protocol.ts";
import type { Operation } from "../session.ts";
import { plainFid } from "./walk.ts";

/** Longest name of a client that is remembered: Linux sends its node name, at most 64 bytes. */
const CLIENT_ID_MAX = 256;

/** Tlock fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s] */
export const lock: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const type = request.u8();
  // P9_LOCK_FLAGS_BLOCK: Linux asks again by itself when it reads BLOCKED.
  request.u32();
  const wanted = lockFields(request, type, fid.number);
  request.finish();
  if (!fid.isOpen) throw new NinePError("EBADF", "the fid is not open");
  const { fileSystem } = fid.attachment;
  if (type === LOCK_TYPE.UNLOCK) session.locks.unlock(fileSystem, fid.ino, wanted);
  const isHeld = type === LOCK_TYPE.UNLOCK || session.locks.lock(fileSystem, fid.ino, wanted);
  reply.u8(isHeld ? LOCK_STATUS.SUCCESS : LOCK_STATUS.BLOCKED);
};

/** Tgetlock fid[4] type[1] start[8] length[8] proc_id[4] client_id[s]: who is in the way, or UNLOCK for nobody. */
export const getlock: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const type = request.u8();
  const wanted = lockFields(request, type, fid.number);
  request.finish();
  if (!fid.isOpen) throw new NinePError("EBADF", "the fid is not open");
  const held = session.locks.conflict(fid.attachment.fileSystem, fid.ino, wanted);
  const shown = held ?? { ...wanted, type: LOCK_TYPE.UNLOCK };
  reply.u8(shown.type);
  reply.u64(shown.start);
  reply.u64(shown.end === Number.POSITIVE_INFINITY ? 0 : shown.end - shown.start);
  reply.u32(shown.processId);
  reply.string(shown.clientId);
};

function lockFields(request: FrameReader, type: number, fid: number): Lock {
  const start = request.u64();
  const length = request.u64();
  const processId = request.u32();
  const clientId = request.string();
  if (type > LOCK_TYPE.UNLOCK) throw new NinePError("EINVAL", "no such kind of lock");
  if (!Number.isSafeInteger(start)) throw new NinePError("EINVAL", "a lock's start above 2^53");
  if (clientId.length > CLIENT_ID_MAX) throw new NinePError("ENAMETOOLONG");
  const end = length === 0 ? Number.POSITIVE_INFINITY : start + length;
  const isBounded = end <= Number.MAX_SAFE_INTEGER;
  return { type, start, end: isBounded ? end : Number.POSITIVE_INFINITY, processId, clientId, fid };
}
