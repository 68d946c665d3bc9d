import { NinePError } from "./errno.ts";
import { type Attachment, NOT_OPEN, type XattrFid } from "./fids.ts";
import type { Session } from "./session.ts";

/** A session as plain JSON. */
export interface ServerState {
  version: 1;
  msize: number;
  attachments: AttachmentState[];
}

interface AttachmentState {
  aname: string;
  uid: number;
  /** Four numbers each: fid, inode, the inode of its directory, open flags or -1. */
  fids: number[];
  xattrs: XattrState[];
  locks: LockState[];
}

interface XattrState {
  fid: number;
  name: string;
  value: string;
  how: "any" | "create" | "replace" | "remove" | "read";
  filled: number;
}

interface LockState {
  ino: number;
  fid: number;
  type: number;
  start: number;
  /** `null` is the end of the file. */
  end: number | null;
  processId: number;
  clientId: string;
}

export function saveSession(session: Session): ServerState {
  const states = new Map<string, AttachmentState>();
  const stateOf = ({ aname, uid }: Attachment): AttachmentState => {
    const key = `${uid} ${aname}`;
    const state = states.get(key) ?? { aname, uid, fids: [], xattrs: [], locks: [] };
    states.set(key, state);
    return state;
  };
  for (const fid of session.fids.all()) {
    const state = stateOf(fid.attachment);
    state.fids.push(fid.number, fid.ino, fid.parent, fid.flags);
    if (fid.xattr !== undefined) state.xattrs.push(saveXattr(fid.number, fid.xattr));
  }
  for (const { ino, lock } of session.locks.all()) {
    const end = lock.end === Number.POSITIVE_INFINITY ? null : lock.end;
    stateOf(session.fids.get(lock.fid).attachment).locks.push({ ...lock, ino, end });
  }
  return { version: 1, msize: session.msize, attachments: [...states.values()] };
}

export function loadSession(session: Session, state: ServerState): void {
  if (state.version !== 1) throw new NinePError("EINVAL", "a 9P session of an unknown version");
  session.msize = state.msize;
  for (const saved of state.attachments) {
    const attachment = session.attachment(saved.aname, saved.uid);
    for (let i = 0; i < saved.fids.length; i += 4) {
      const [number = 0, ino = 0, parent = 0, flags = NOT_OPEN] = saved.fids.slice(i, i + 4);
      session.fids.add(number, attachment, ino, parent).flags = flags;
    }
    for (const each of saved.xattrs)
      session.fids.makeXattr(session.fids.get(each.fid), loadXattr(each));
    for (const { ino, end, ...lock } of saved.locks) {
      const restored = { ...lock, end: end ?? Number.POSITIVE_INFINITY };
      session.locks.restore(attachment.fileSystem, ino, restored);
    }
  }
}

function saveXattr(fid: number, xattr: XattrFid): XattrState {
  return {
    fid,
    name: xattr.name,
    value: Buffer.from(xattr.value).toString("base64"),
    how: xattr.write?.how ?? "read",
    filled: xattr.write?.filled ?? 0,
  };
}

function loadXattr({ name, value, how, filled }: XattrState): XattrFid {
  const write = how === "read" ? undefined : { how, filled };
  return { name, write, value: new Uint8Array(Buffer.from(value, "base64")) };
}
