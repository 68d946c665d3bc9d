import { NinePError } from "./errno.ts";
import { LOCK_TYPE } from "./protocol.ts";

/** A byte range lock; `end` is exclusive, `Infinity` for "to the end of the file". */
export interface Lock {
  type: number;
  start: number;
  end: number;
  processId: number;
  clientId: string;
  /** The fid it came through; it goes when that is clunked. */
  fid: number;
}

/** Bound on what a guest can make the host remember. */
const MAX_LOCKS = 65536;

/**
 * POSIX record locks (Tlock, Tgetlock). The guest's kernel settles conflicts among its own processes before it asks
 * (fs/9p/vfs_file.c, v9fs_file_do_lock), and its flock(2) arrives as a lock of the whole file. A lock that outlived
 * its owner here would make Linux wait 30 s at a time, so the owner is taken widely: the same process, or the same
 * fid, which forked processes share.
 */
export class LockTable {
  readonly #byFile = new Map<object, Map<number, Lock[]>>();
  #count = 0;

  /** False where another owner holds a lock in the way. */
  lock(fileSystem: object, ino: number, wanted: Lock): boolean {
    if (this.conflict(fileSystem, ino, wanted) !== undefined) return false;
    this.#set(fileSystem, ino, wanted);
    return true;
  }

  unlock(fileSystem: object, ino: number, range: Lock): void {
    this.#set(fileSystem, ino, range);
  }

  conflict(fileSystem: object, ino: number, wanted: Lock): Lock | undefined {
    return this.#of(fileSystem, ino).find(
      (held) =>
        !isSameOwner(held, wanted) &&
        held.start < wanted.end &&
        wanted.start < held.end &&
        (held.type === LOCK_TYPE.WRITE || wanted.type === LOCK_TYPE.WRITE),
    );
  }

  releaseFid(fileSystem: object, ino: number, fid: number): void {
    if (this.#count === 0) return;
    const held = this.#of(fileSystem, ino);
    if (held.length === 0) return;
    this.#replace(
      fileSystem,
      ino,
      held.filter((lock) => lock.fid !== fid),
    );
  }

  clear(): void {
    this.#byFile.clear();
    this.#count = 0;
  }

  /** For a session that is loaded. */
  restore(fileSystem: object, ino: number, lock: Lock): void {
    this.#replace(fileSystem, ino, [...this.#of(fileSystem, ino), lock]);
  }

  *all(): Iterable<{ fileSystem: object; ino: number; lock: Lock }> {
    for (const [fileSystem, files] of this.#byFile) {
      for (const [ino, locks] of files) for (const lock of locks) yield { fileSystem, ino, lock };
    }
  }

  /** The owner's locks give way to the new one, piece by piece, as fcntl(2) says. */
  #set(fileSystem: object, ino: number, wanted: Lock): void {
    const next: Lock[] = [];
    for (const held of this.#of(fileSystem, ino)) {
      if (!isSameOwner(held, wanted) || held.end <= wanted.start || wanted.end <= held.start) {
        next.push(held);
        continue;
      }
      if (held.start < wanted.start) next.push({ ...held, end: wanted.start });
      if (wanted.end < held.end) next.push({ ...held, start: wanted.end });
    }
    if (wanted.type !== LOCK_TYPE.UNLOCK) next.push(wanted);
    this.#replace(fileSystem, ino, next);
  }

  #of(fileSystem: object, ino: number): readonly Lock[] {
    return this.#byFile.get(fileSystem)?.get(ino) ?? [];
  }

  #replace(fileSystem: object, ino: number, locks: Lock[]): void {
    const grown = locks.length - this.#of(fileSystem, ino).length;
    if (grown > 0 && this.#count + grown > MAX_LOCKS) throw new NinePError("ENOLCK");
    this.#count += grown;
    const files = this.#byFile.get(fileSystem) ?? new Map<number, Lock[]>();
    this.#byFile.set(fileSystem, files);
    if (locks.length > 0) files.set(ino, locks);
    else files.delete(ino);
  }
}

function isSameOwner(a: Lock, b: Lock): boolean {
  return a.fid === b.fid || (a.processId === b.processId && a.clientId === b.clientId);
}
