import { NinePError } from "../errno.ts";
import type { XattrFid } from "../fids.ts";
import { NAME_MAX, XATTR_CREATE, XATTR_MAX_BYTES, XATTR_REPLACE } from "../protocol.ts";
import type { Operation } from "../session.ts";
import { plainFid } from "./walk.ts";

/** Txattrwalk fid[4] newfid[4] name[s]: newfid reads the attribute, or the list of names where `name` is empty. */
export const xattrWalk: Operation = ({ session, request, reply }) => {
  const fid = plainFid(session, request.u32());
  const newNumber = request.u32();
  const name = request.string();
  request.finish();
  const { fileSystem } = fid.attachment;
  session.fids.checkFree(newNumber);
  session.fids.checkXattrRoom();
  const value =
    name === ""
      ? Buffer.from(
          fileSystem
            .listxattr(fid.ino)
            .map((each) => `${each}\0`)
            .join(""),
          "latin1",
        )
      : fileSystem.getxattr(fid.ino, name);
  const newFid = session.fids.add(newNumber, fid.attachment, fid.ino, fid.parent);
  session.fids.makeXattr(newFid, { name, write: undefined, value });
  reply.u64(value.length);
};

/**
 * Txattrcreate fid[4] name[s] attr_size[8] flags[4]: what is written to the fid becomes the attribute when it is
 * clunked. What can be known to fail is refused here, where the client still looks.
 *
 * Linux removes an attribute by setting no bytes with XATTR_REPLACE (fs/9p/xattr.c).
 */
export const xattrCreate: Operation = ({ session, request }) => {
  const fid = plainFid(session, request.u32());
  const name = request.string();
  const size = request.u64();
  const flags = request.u32();
  request.finish();
  if (fid.isOpen) throw new NinePError("EBADF", "the fid is open");
  if (name === "" || name.length > NAME_MAX || name.includes("\0")) throw new NinePError("ERANGE");
  if (size > XATTR_MAX_BYTES) throw new NinePError("E2BIG");
  if (flags & ~(XATTR_CREATE | XATTR_REPLACE)) throw new NinePError("EINVAL");

  const exists = fid.attachment.fileSystem.listxattr(fid.ino).includes(name);
  if (flags & XATTR_CREATE && exists) throw new NinePError("EEXIST");
  if (flags & XATTR_REPLACE && !exists) throw new NinePError("ENODATA");
  session.fids.makeXattr(fid, {
    name,
    write: { how: setMode(flags, size), filled: 0 },
    value: new Uint8Array(size),
  });
};

function setMode(flags: number, size: number): "any" | "create" | "replace" | "remove" {
  if (flags & XATTR_REPLACE) return size === 0 ? "remove" : "replace";
  return flags & XATTR_CREATE ? "create" : "any";
}

export function readXattr(xattr: XattrFid, offset: number, target: Uint8Array): number {
  if (xattr.write !== undefined) throw new NinePError("EBADF", "the fid writes an xattr");
  const part = xattr.value.subarray(offset, offset + target.length);
  target.set(part);
  return part.length;
}

/** The value is written in order and without gaps. */
export function writeXattr(xattr: XattrFid, offset: number, data: Uint8Array): number {
  if (xattr.write === undefined) throw new NinePError("EBADF", "the fid reads an xattr");
  if (offset !== xattr.write.filled) throw new NinePError("EINVAL", "an xattr is written in order");
  if (data.length > xattr.value.length - offset) throw new NinePError("ENOSPC");
  xattr.value.set(data, offset);
  xattr.write.filled += data.length;
  return data.length;
}
