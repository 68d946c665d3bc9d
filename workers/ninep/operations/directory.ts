import { NinePError } from "../errno.ts";
import type { Fid } from "../fids.ts";
import { encodeDevice } from "../filesystem.ts";
import type { FrameReader } from "../frame.ts";
import { checkNewName, checkOldName } from "../names.ts";
import {
  AT_REMOVEDIR,
  isDirectory,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  TARGET_MAX,
} from "../protocol.ts";
import type { Operation, Session } from "../session.ts";
import { plainFid } from "./walk.ts";

/** qid[13] offset[8] type[1] and the name's length[2] */
const ENTRY_HEADER_BYTES = 24;

/** Treaddir fid[4] offset[8] count[4] */
export const readdir: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const offset = request.u64();
  const count = request.u32();
  request.finish();
  if (!fid.isOpen) throw new NinePError("EBADF", "the fid is not open");
  const countAt = reply.position;
  reply.u32(0);
  let room = Math.min(count, reply.room);
  const before = reply.position;
  let isCut = false;
  fid.attachment.fileSystem.readdir(fid.ino, offset, (ino, mode, nextOffset, name) => {
    const bytes = ENTRY_HEADER_BYTES + name.length;
    if (bytes > room) {
      isCut = true;
      return false;
    }
    room -= bytes;
    reply.qid(ino, mode);
    reply.u64(nextOffset);
    // d_type is the mode's type bits, shifted (IFTODT).
    reply.u8((mode & S_IFMT) >>> 12);
    reply.string(name);
    return true;
  });
  const written = reply.position - before;
  // No bytes would mean that the directory ends here.
  if (written === 0 && isCut) throw new NinePError("EINVAL", "count is too small for the entry");
  reply.patchU32(countAt, written);
};

/** Tmkdir dfid[4] name[s] mode[4] gid[4] */
export const mkdir: Operation = ({ session, request, reply }) => {
  const { fid, name } = newEntry(session, request);
  const mode = S_IFDIR | (request.u32() & 0o7777);
  const gid = request.u32();
  request.finish();
  const { fileSystem, uid } = fid.attachment;
  reply.qid(fileSystem.make(fid.ino, name, { mode, uid, gid }), mode);
};

const nodeTypes = new Set([S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK]);

/** Tmknod dfid[4] name[s] mode[4] major[4] minor[4] gid[4]: special files are only named here, never opened. */
export const mknod: Operation = ({ session, request, reply }) => {
  const { fid, name } = newEntry(session, request);
  const mode = request.u32() & (S_IFMT | 0o7777);
  const major = request.u32();
  const minor = request.u32();
  const gid = request.u32();
  request.finish();
  const type = mode & S_IFMT;
  if (!nodeTypes.has(type)) throw new NinePError("EINVAL", "no such kind of node");
  const rdev = type === S_IFCHR || type === S_IFBLK ? encodeDevice(major, minor) : 0;
  const { fileSystem, uid } = fid.attachment;
  reply.qid(fileSystem.make(fid.ino, name, { mode, uid, gid, rdev }), mode);
};

/** Tsymlink fid[4] name[s] symtgt[s] gid[4] */
export const symlink: Operation = ({ session, request, reply }) => {
  const { fid, name } = newEntry(session, request);
  const target = request.string();
  const gid = request.u32();
  request.finish();
  if (target === "") throw new NinePError("ENOENT");
  if (target.length > TARGET_MAX) throw new NinePError("ENAMETOOLONG");
  if (target.includes("\0")) throw new NinePError("EINVAL");
  const mode = S_IFLNK | 0o777;
  const { fileSystem, uid } = fid.attachment;
  reply.qid(fileSystem.make(fid.ino, name, { mode, uid, gid, target }), mode);
};

function newEntry(session: Session, request: FrameReader): { fid: Fid; name: string } {
  const fid = plainFid(session, request.u32());
  const name = request.string();
  checkNewName(name);
  return { fid, name };
}

/** Treadlink fid[4] */
export const readlink: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  request.finish();
  const { fileSystem } = fid.attachment;
  if (!isSymlink(fileSystem.modeOf(fid.ino))) throw new NinePError("EINVAL");
  reply.string(fileSystem.readlink(fid.ino));
};

/** Tlink dfid[4] fid[4] name[s] */
export const link: Operation = ({ session, request }) => {
  const directory = plainFid(session, request.u32());
  const fid = plainFid(session, request.u32());
  const name = request.string();
  request.finish();
  checkNewName(name);
  checkSameTree(directory, fid);
  directory.attachment.fileSystem.link(directory.ino, name, fid.ino);
};

/** Tunlinkat dirfd[4] name[s] flags[4] */
export const unlinkat: Operation = ({ session, request }) => {
  const fid = plainFid(session, request.u32());
  const name = request.string();
  const flags = request.u32();
  request.finish();
  if (flags & ~AT_REMOVEDIR) throw new NinePError("EINVAL");
  checkOldName(name);
  fid.attachment.fileSystem.unlink(fid.ino, name, (flags & AT_REMOVEDIR) !== 0);
};

/** Trenameat olddirfid[4] oldname[s] newdirfid[4] newname[s] */
export const renameat: Operation = ({ session, request }) => {
  const from = plainFid(session, request.u32());
  const fromName = request.string();
  const to = plainFid(session, request.u32());
  const toName = request.string();
  request.finish();
  rename(from, from.ino, fromName, to, toName);
};

/** Trename fid[4] dfid[4] name[s]: as renameat, for clients that know the file by its fid only. */
export const renameFid: Operation = ({ session, request }) => {
  const fid = plainFid(session, request.u32());
  const to = plainFid(session, request.u32());
  const toName = request.string();
  request.finish();
  rename(fid, fid.parent, nameOf(fid), to, toName);
  fid.parent = to.ino;
};

function rename(from: Fid, fromDirectory: number, fromName: string, to: Fid, toName: string): void {
  if (isDots(fromName) || isDots(toName)) throw new NinePError("EBUSY");
  checkOldName(fromName);
  checkNewName(toName);
  checkSameTree(from, to);
  from.attachment.fileSystem.rename(fromDirectory, fromName, to.ino, toName);
}

function isDots(name: string): boolean {
  return name === "." || name === "..";
}

/** Tremove fid[4]: the fid goes, even when the file stays. */
export const remove: Operation = ({ session, request }) => {
  const fid = session.fids.get(request.u32());
  request.finish();
  try {
    if (fid.xattr !== undefined) throw new NinePError("EBADF");
    const { fileSystem } = fid.attachment;
    fileSystem.unlink(fid.parent, nameOf(fid), isDirectory(fileSystem.modeOf(fid.ino)));
  } finally {
    session.clunk(fid);
  }
};

/**
 * The name under which the fid's directory has its file. Fids keep no names, which Linux needs only where a server
 * lacks Tunlinkat and Trenameat; with two hard links in one directory there is no telling which was meant.
 */
function nameOf(fid: Fid): string {
  const { fileSystem } = fid.attachment;
  if (fid.ino === fileSystem.root) throw new NinePError("EBUSY");
  const names: string[] = [];
  fileSystem.readdir(fid.parent, 0, (ino, _mode, _nextOffset, name) => {
    if (ino === fid.ino && !isDots(name)) names.push(name);
    return names.length < 2;
  });
  const [name, other] = names;
  if (name === undefined) throw new NinePError("ENOENT");
  if (other !== undefined)
    throw new NinePError("EOPNOTSUPP", "two names: use Tunlinkat or Trenameat");
  return name;
}

function checkSameTree(a: Fid, b: Fid): void {
  if (a.attachment.fileSystem !== b.attachment.fileSystem) throw new NinePError("EXDEV");
}
