import { NinePError } from "../errno.ts";
import type { Fid } from "../fids.ts";
import { PendingRead } from "../filesystem.ts";
import { checkNewName } from "../names.ts";
import {
  isDirectory,
  isRegular,
  isSymlink,
  O_ACCMODE,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  S_IFREG,
} from "../protocol.ts";
import type { Operation } from "../session.ts";
import { plainFid } from "./walk.ts";
import { readXattr, writeXattr } from "./xattr.ts";

/** Tlopen fid[4] flags[4] */
export const open: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const flags = request.u32();
  request.finish();
  if (fid.isOpen) throw new NinePError("EBADF", "the fid is open already");
  openFid(fid, flags);
  reply.qid(fid.ino, fid.attachment.fileSystem.modeOf(fid.ino));
  // iounit 0: as much as msize carries.
  reply.u32(0);
};

/**
 * Tlcreate fid[4] name[s] flags[4] mode[4] gid[4]: the directory's fid becomes the new file's, open. The guest's
 * kernel never sends a file that it knows to exist; another client may.
 */
export const create: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const name = request.string();
  const flags = request.u32();
  const mode = request.u32();
  const gid = request.u32();
  request.finish();
  checkNewName(name);
  if (fid.isOpen) throw new NinePError("EBADF", "the fid is open already");
  const { fileSystem, uid } = fid.attachment;
  const directory = fid.ino;

  const existing = fileSystem.lookup(directory, name);
  if (existing === 0) {
    const ino = fileSystem.make(directory, name, { mode: S_IFREG | (mode & 0o7777), uid, gid });
    session.fids.move(fid, ino, directory);
    openFid(fid, flags);
  } else {
    if (flags & O_EXCL) throw new NinePError("EEXIST");
    checkOpen(fileSystem.modeOf(existing), flags);
    session.fids.move(fid, existing, directory);
    openFid(fid, flags);
  }
  reply.qid(fid.ino, fileSystem.modeOf(fid.ino));
  reply.u32(0);
};

/**
 * O_APPEND is left to the guest's kernel, which sends the offset itself: its write-back may rewrite a page in the
 * middle of a file through a fid that was opened for appending.
 */
function openFid(fid: Fid, flags: number): void {
  const { fileSystem } = fid.attachment;
  const mode = fileSystem.modeOf(fid.ino);
  checkOpen(mode, flags);
  if (flags & O_TRUNC && isRegular(mode) && (flags & O_ACCMODE) !== O_RDONLY) {
    fileSystem.setattr(fid.ino, { size: 0 });
  }
  fileSystem.open(fid.ino, flags);
  fid.flags = flags;
}

/** Special files live in the guest's kernel; here they are names only, so there is nothing to open. */
function checkOpen(mode: number, flags: number): void {
  if (isSymlink(mode)) throw new NinePError("ELOOP");
  if (isDirectory(mode)) {
    if ((flags & O_ACCMODE) !== O_RDONLY || flags & O_TRUNC) throw new NinePError("EISDIR");
    return;
  }
  if (flags & O_DIRECTORY) throw new NinePError("ENOTDIR");
  if (!isRegular(mode)) throw new NinePError("ENXIO", "a special file is opened in the guest");
}

/** Tread fid[4] offset[8] count[4] */
export const read: Operation = ({ session, request, reply }) => {
  const fid = session.fids.get(request.u32());
  const offset = request.u64();
  const count = request.u32();
  request.finish();
  const countAt = reply.position;
  reply.u32(0);
  const target = reply.window(count);
  const outcome =
    fid.xattr === undefined ? readFile(fid, offset, target) : readXattr(fid.xattr, offset, target);
  if (outcome instanceof PendingRead) return { pending: outcome, fid };
  reply.patchU32(countAt, outcome);
  reply.skip(outcome);
};

function readFile(fid: Fid, offset: number, target: Uint8Array): number | PendingRead {
  if (!fid.isReadable) throw new NinePError("EBADF", "the fid is not open for reading");
  const { fileSystem } = fid.attachment;
  if (isDirectory(fileSystem.modeOf(fid.ino))) throw new NinePError("EISDIR");
  if (!Number.isSafeInteger(offset)) throw new NinePError("EINVAL", "offset above 2^53");
  return fileSystem.read(fid.ino, offset, target);
}

/** Twrite fid[4] offset[8] count[4] data[count] */
export const write: Operation = ({ session, request, reply }) => {
  const fid = session.fids.get(request.u32());
  const offset = request.u64();
  const data = request.bytes(request.u32());
  request.finish();
  reply.u32(
    fid.xattr === undefined ? writeFile(fid, offset, data) : writeXattr(fid.xattr, offset, data),
  );
};

function writeFile(fid: Fid, offset: number, data: Uint8Array): number {
  if (!fid.isWritable) throw new NinePError("EBADF", "the fid is not open for writing");
  if (!Number.isSafeInteger(offset)) throw new NinePError("EFBIG");
  const { fileSystem, uid } = fid.attachment;
  return fileSystem.write(fid.ino, offset, data, uid);
}

/** Tfsync fid[4] datasync[4]; the second field is missing in older clients. */
export const fsync: Operation = ({ session, request }) => {
  const fid = plainFid(session, request.u32());
  if (request.remaining > 0) request.u32();
  request.finish();
  fid.attachment.fileSystem.fsync(fid.ino);
};
