/**
 * Numbers of 9P2000.L: message types, flags and sizes, as in chaos/diod `protocol.md` and Linux
 * `include/net/9p/9p.h`.
 */

/** Requests. The answer to `T` is `T + 1`; errors are `Rlerror`. */
export const T = {
  STATFS: 8,
  LOPEN: 12,
  LCREATE: 14,
  SYMLINK: 16,
  MKNOD: 18,
  RENAME: 20,
  READLINK: 22,
  GETATTR: 24,
  SETATTR: 26,
  XATTRWALK: 30,
  XATTRCREATE: 32,
  READDIR: 40,
  FSYNC: 50,
  LOCK: 52,
  GETLOCK: 54,
  LINK: 70,
  MKDIR: 72,
  RENAMEAT: 74,
  UNLINKAT: 76,
  VERSION: 100,
  AUTH: 102,
  ATTACH: 104,
  FLUSH: 108,
  WALK: 110,
  READ: 116,
  WRITE: 118,
  CLUNK: 120,
  REMOVE: 122,
} as const;

export const RLERROR = 7;
export const NOTAG = 0xffff;
export const NOFID = 0xffffffff;

/** size[4] type[1] tag[2] */
export const HEADER_BYTES = 7;
/** Header and count[4] of `Rread` and `Rreaddir`. */
export const READ_HEADER_BYTES = 11;
/** Linux refuses to mount with less. */
export const MIN_MSIZE = 4096;
/** P9_MAXWELEM */
export const MAX_WALK_NAMES = 16;
export const NAME_MAX = 255;
/** PATH_MAX without its NUL. */
export const TARGET_MAX = 4095;
/** XATTR_SIZE_MAX */
export const XATTR_MAX_BYTES = 65536;

/** Type bits of a mode. */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_IXGRP = 0o010;

/** P9_DOTL_* open flags, equal to Linux's generic ones. */
export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_DIRECTORY = 0o200000;

/** P9_DOTL_AT_REMOVEDIR */
export const AT_REMOVEDIR = 0x200;

/** `Tsetattr` valid bits. */
export const SETATTR = {
  MODE: 0x1,
  UID: 0x2,
  GID: 0x4,
  SIZE: 0x8,
  ATIME: 0x10,
  MTIME: 0x20,
  CTIME: 0x40,
  ATIME_SET: 0x80,
  MTIME_SET: 0x100,
} as const;

/** P9_STATS_BASIC: all that stat(2) shows. */
export const GETATTR_BASIC = 0x7ff;

export const LOCK_TYPE = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;
export const LOCK_STATUS = { SUCCESS: 0, BLOCKED: 1 } as const;

export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

/** V9FS_MAGIC, what `stat -f` shows as the file system's type. */
export const V9FS_MAGIC = 0x01021997;

/** A 32-bit guest folds qid.path + 2 to 32 bits (fs/9p/vfs_inode.c, v9fs_qid2ino): larger ones would collide. */
export const MAX_INODE = 2 ** 32 - 3;

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

/** qid.type: directory, symbolic link, or plain. */
export function qidType(mode: number): number {
  if (isDirectory(mode)) return 0x80;
  return isSymlink(mode) ? 0x02 : 0;
}
