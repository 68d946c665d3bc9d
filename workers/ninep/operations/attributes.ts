import { NinePError } from "../errno.ts";
import type { AttributeChanges, Time } from "../filesystem.ts";
import { GETATTR_BASIC, SETATTR, V9FS_MAGIC } from "../protocol.ts";
import type { Operation } from "../session.ts";
import { plainFid } from "./walk.ts";

const BLOCK_BYTES = 4096;
const NANOSECONDS = 1_000_000_000;

/** Tgetattr fid[4] request_mask[8]: always all that stat(2) shows. */
export const getattr: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  request.u64();
  request.finish();
  const attributes = session.attributes;
  fid.attachment.fileSystem.getattr(fid.ino, attributes);
  reply.u64(GETATTR_BASIC);
  reply.qid(fid.ino, attributes.mode);
  reply.u32(attributes.mode);
  reply.u32(attributes.uid);
  reply.u32(attributes.gid);
  reply.u64(attributes.nlink);
  reply.u64(attributes.rdev);
  reply.u64(attributes.size);
  reply.u64(BLOCK_BYTES);
  reply.u64(attributes.blocks);
  reply.u64(attributes.atimeSec);
  reply.u64(attributes.atimeNsec);
  reply.u64(attributes.mtimeSec);
  reply.u64(attributes.mtimeNsec);
  reply.u64(attributes.ctimeSec);
  reply.u64(attributes.ctimeNsec);
  // btime, gen and data_version, which the mask says are not there.
  for (let i = 0; i < 4; i++) reply.u64(0);
};

/**
 * Tsetattr fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime_sec[8] atime_nsec[8] mtime_sec[8] mtime_nsec[8]
 */
export const setattr: Operation = ({ session, request }) => {
  const fid = plainFid(session, request.u32());
  const valid = request.u32();
  const mode = request.u32();
  const uid = request.u32();
  const gid = request.u32();
  const size = request.u64();
  const atime = { sec: request.i64(), nsec: request.u64() };
  const mtime = { sec: request.i64(), nsec: request.u64() };
  request.finish();

  const changes: AttributeChanges = {};
  if (valid & SETATTR.MODE) changes.mode = mode & 0o7777;
  if (valid & SETATTR.UID) changes.uid = uid;
  if (valid & SETATTR.GID) changes.gid = gid;
  if (valid & SETATTR.SIZE) changes.size = size;
  if (valid & SETATTR.ATIME) changes.atime = valid & SETATTR.ATIME_SET ? checked(atime) : "now";
  if (valid & SETATTR.MTIME) changes.mtime = valid & SETATTR.MTIME_SET ? checked(mtime) : "now";
  fid.attachment.fileSystem.setattr(fid.ino, changes);
};

function checked(time: Time): Time {
  if (!Number.isSafeInteger(time.sec) || time.nsec >= NANOSECONDS) {
    throw new NinePError("EINVAL", "no such time");
  }
  return time;
}

/** Tstatfs fid[4] */
export const statfs: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  request.finish();
  const statistics = fid.attachment.fileSystem.statfs();
  reply.u32(V9FS_MAGIC);
  reply.u32(statistics.blockBytes);
  reply.u64(statistics.blocks);
  reply.u64(statistics.freeBlocks);
  reply.u64(statistics.freeBlocks);
  reply.u64(statistics.files);
  reply.u64(statistics.freeFiles);
  reply.u64(0);
  reply.u32(255);
};
