import { NinePError, toNinePError } from "../errno.ts";
import type { Fid } from "../fids.ts";
import { checkLookupName } from "../names.ts";
import { MAX_WALK_NAMES, NOFID } from "../protocol.ts";
import type { Operation, Session } from "../session.ts";

/** Tauth: nobody has to prove who they are on a machine of their own. Linux takes any error for "not needed". */
export const auth: Operation = () => {
  throw new NinePError("EOPNOTSUPP", "no authentication needed");
};

/** Tattach fid[4] afid[4] uname[s] aname[s] n_uname[4] */
export const attach: Operation = ({ session, request, reply }) => {
  const number = request.u32();
  const afid = request.u32();
  request.string();
  const aname = request.string();
  const uid = request.u32();
  request.finish();
  if (afid !== NOFID) throw new NinePError("EBADF", "no authentication needed");
  session.fids.checkFree(number);
  const attachment = session.attachment(aname, uid);
  const { fileSystem } = attachment;
  session.fids.add(number, attachment, fileSystem.root, fileSystem.root);
  reply.qid(fileSystem.root, fileSystem.modeOf(fileSystem.root));
};

/** One for all, since a shell that looks along its PATH asks for little else, and a stack trace is dear. */
const NO_ENTRY = new NinePError("ENOENT");

/**
 * Twalk fid[4] newfid[4] nwname[2] nwname*(wname[s])
 *
 * A walk that stops half-way says how far it came and makes no fid. Open fids may be walked: Linux clones them to
 * reach files that have lost their last name.
 */
export const walk: Operation = (exchange) => {
  const { session, request, reply } = exchange;
  const fid = plainFid(session, request.u32());
  const newNumber = request.u32();
  const count = request.u16();
  if (count > MAX_WALK_NAMES) throw new NinePError("EINVAL", "more than 16 names");
  if (newNumber !== fid.number) session.fids.checkFree(newNumber);
  else if (fid.isOpen && count > 0) throw new NinePError("EBUSY", "an open fid cannot move");

  const countAt = reply.position;
  reply.u16(0);
  let { ino, parent } = fid;
  let walked = 0;
  const names: string[] = [];
  for (let i = 0; i < count; i++) names.push(request.string());
  request.finish();
  try {
    for (const name of names) {
      checkLookupName(name);
      const found = fid.attachment.fileSystem.lookup(ino, name);
      if (found === 0) throw NO_ENTRY;
      parent = ino;
      ino = found;
      reply.qid(ino, fid.attachment.fileSystem.modeOf(ino));
      walked++;
    }
  } catch (error) {
    if (walked === 0 || toNinePError(error).code === "EIO") throw error;
    reply.patchU16(countAt, walked);
    return;
  }
  reply.patchU16(countAt, walked);
  if (newNumber !== fid.number) session.fids.add(newNumber, fid.attachment, ino, parent);
  else if (walked > 0) session.fids.move(fid, ino, parent);
};

/** Tclunk fid[4]: the fid is gone, whatever else happens. An extended attribute is written now. */
export const clunk: Operation = ({ session, request }) => {
  const fid = session.fids.get(request.u32());
  request.finish();
  try {
    if (fid.xattr?.write !== undefined) writeXattr(fid);
  } finally {
    session.clunk(fid);
  }
};

function writeXattr(fid: Fid): void {
  const { xattr } = fid;
  if (xattr?.write === undefined) return;
  const { how, filled } = xattr.write;
  if (filled !== xattr.value.length) {
    throw new NinePError("EINVAL", "an extended attribute got fewer bytes than announced");
  }
  const { fileSystem } = fid.attachment;
  if (how === "remove") fileSystem.setxattr(fid.ino, xattr.name, undefined, "replace");
  else fileSystem.setxattr(fid.ino, xattr.name, xattr.value, how);
}

/** A fid that stands for a file, not for an extended attribute. */
export function plainFid(session: Session, number: number): Fid {
  const fid = session.fids.get(number);
  if (fid.xattr !== undefined) throw new NinePError("EBADF", "the fid stands for an xattr");
  return fid;
}
