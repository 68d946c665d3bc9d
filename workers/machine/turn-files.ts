import { NinePError } from "../ninep/errno.ts";
import {
  type Attributes,
  type EmitEntry,
  emptyAttributes,
  type FileSystem,
  type FileSystemStatistics,
  type PendingRead,
} from "../ninep/filesystem.ts";
import { fromByteStringExactly, toByteString } from "../ninep/names.ts";
import { InputBuffer } from "./input-buffer.ts";
import { ShellMailbox, WORDS_BYTES } from "./shell-mailbox.ts";

/**
 * The file system behind the guest's /run/mom. Its files are no storage but the wires between a turn and the
 * host, each carrying one thing, whatever the bytes:
 *
 *   N.sh      the turn's script (read)          N.in      standard input (read, in order)
 *   N.out     standard output (append)          N.err     standard error (append)
 *   N.end     the status at the end             N.attach  paths to be sent to the thread, each with a NUL
 *   N.swept   written when the turn's processes are killed
 *   N/NAME    files that came with the turn     ready     process id of a new resident shell
 *   gone      status of a resident shell that ended without a word
 *   next      number of the turn to come (read), whose N.out and N.err are there already
 *   bash      what the resident shell is to do: a read waits until there is something
 *   end.N     never there: being asked for it is the end of the turn that the resident shell runs, with status N
 *
 * A program that outlives its turn may go on writing to N.out; that goes nowhere.
 */

const ROOT = 1;
const READY = 2;
const GONE = 3;
const NEXT = 4;
const BASH = 5;
const NAMES: Record<string, number> = {
  ready: READY,
  gone: GONE,
  next: NEXT,
  bash: BASH,
};
const END = "end.";
const FIRST_TURN_INO = 16;
/** Inode numbers of one turn: FIRST_TURN_INO + 8 × number + kind, so that a saved guest's still mean the same. */
const INOS_PER_TURN = 8;
const KINDS = ["", ".sh", ".out", ".err", ".in", ".end", ".attach", ".swept"] as const;
type Kind = (typeof KINDS)[number];
/** Files that came with a turn: numbered from here, gone with the turn. */
const FIRST_EXTRA_INO = 2 ** 31;
const MAX_ATTACH_BYTES = 64 << 10;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

export interface TurnSpecification {
  script: string;
  files: Record<string, Uint8Array>;
  hasInput: boolean;
  /** `chunk` is valid during the call only. */
  onOutput(stream: "stdout" | "stderr", chunk: Uint8Array): void;
  onEnd(status: number): void;
  onSwept?(): void;
}

export interface OpenTurn {
  /** Guest paths named with `attach` so far. */
  readonly attached: string[];
  /** The guest has taken the script. */
  readonly isBegun: boolean;
  /** Have the resident shell begin: bash source, at most `MAX_WORDS_BYTES`. */
  start(words: Uint8Array): void;
  input(chunk: Uint8Array | null): Promise<void>;
  closeInput(): void;
  close(): void;
}

interface TurnEntry {
  /** For the resident shell, which has not taken it yet. */
  isWaiting: boolean;
  isBegun: boolean;
  specification: TurnSpecification;
  script: Uint8Array;
  input: InputBuffer;
  /** Bytes, one a character: a path may come in two writes. */
  attached: string;
  extras: Map<string, number>;
}

export class TurnFiles implements FileSystem {
  readonly root = ROOT;
  /** The resident shell waits for turns. */
  onReady: (shellPid: number) => void = () => {};
  onGone: (status: number) => void = () => {};
  /** Number of the turn to come. */
  upcoming = 0;
  readonly shell = new ShellMailbox();
  readonly #turns = new Map<number, TurnEntry>();
  /** The resident shell's, since it has the script. */
  #running: TurnEntry | undefined;
  readonly #extras = new Map<number, Uint8Array>();
  #nextExtra = FIRST_EXTRA_INO;

  /** Puts the wires of a turn in place, before the resident shell is told its number. */
  openTurn(number: number, specification: TurnSpecification): OpenTurn {
    const entry: TurnEntry = {
      isWaiting: false,
      isBegun: false,
      specification,
      script: new TextEncoder().encode(specification.script),
      input: new InputBuffer(),
      attached: "",
      extras: new Map(),
    };
    for (const [name, content] of Object.entries(specification.files)) {
      const ino = this.#nextExtra++;
      entry.extras.set(toByteString(name), ino);
      this.#extras.set(ino, content);
    }
    if (!specification.hasInput) entry.input.end();
    this.#turns.set(number, entry);
    return {
      get isBegun() {
        return entry.isBegun;
      },
      get attached() {
        return entry.attached
          .split("\0")
          .filter((path) => path !== "")
          .map(fromByteStringExactly);
      },
      start: (words) => {
        entry.isWaiting = true;
        this.shell.give(words, () => {
          entry.isWaiting = false;
          entry.isBegun = true;
          this.shell.isBusy = true;
          this.#running = entry;
        });
      },
      input: async (chunk) => {
        if (chunk === null) entry.input.end();
        else await entry.input.push(chunk);
      },
      closeInput: () => entry.input.end(),
      close: () => {
        if (this.#running === entry) this.#running = undefined;
        entry.input.discard();
        for (const ino of entry.extras.values()) this.#extras.delete(ino);
        this.#turns.delete(number);
      },
    };
  }

  // Every wire is there as long as its turn: what a guest opens, closes, truncates and syncs needs no work.
  open(): void {}
  close(): void {}
  retain(): void {}
  forget(): void {}
  fsync(): void {}
  setattr(): void {}

  lookup(directory: number, name: string): number {
    if (directory === ROOT) {
      // Before all else, since somebody waits for it.
      if (name.startsWith(END)) {
        const status = name.slice(END.length);
        if (isStatus(status)) this.#end(this.#running, Number(status));
        return 0;
      }
      const known = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
      if (known !== undefined) return known;
      const [, digits = "", suffix = ""] = /^(\d{1,9})(\.[a-z]+)?$/.exec(name) ?? [];
      const kind = KINDS.indexOf(suffix as Kind);
      const number = Number(digits);
      if (digits !== "" && kind >= 0 && (number === this.upcoming || this.#turns.has(number))) {
        return FIRST_TURN_INO + number * INOS_PER_TURN + kind;
      }
    } else {
      const ino = this.#turnOf(directory)?.entry.extras.get(name);
      if (ino !== undefined) return ino;
    }
    return 0;
  }

  modeOf(ino: number): number {
    if (ino === ROOT || (ino < FIRST_EXTRA_INO && kindOf(ino) === "")) return S_IFDIR | 0o755;
    return S_IFREG | 0o644;
  }

  getattr(ino: number, into: Attributes): void {
    Object.assign(into, emptyAttributes());
    into.mode = this.modeOf(ino);
    into.size = ino === BASH ? WORDS_BYTES : (this.#contents(ino)?.length ?? 0);
    into.blocks = Math.ceil(into.size / 512);
  }

  readdir(directory: number, offset: number, emit: EmitEntry): void {
    const turn = this.#turnOf(directory);
    const entries: [number, string][] = [
      [directory, "."],
      [ROOT, ".."],
    ];
    if (turn !== undefined) {
      for (const [name, ino] of turn.entry.extras) entries.push([ino, name]);
    } else if (directory === ROOT) {
      for (const number of this.#turns.keys()) {
        for (const [index, suffix] of KINDS.entries()) {
          entries.push([FIRST_TURN_INO + number * INOS_PER_TURN + index, `${number}${suffix}`]);
        }
      }
    }
    for (let index = offset; index < entries.length; index++) {
      const [ino, name] = entries[index] ?? [0, ""];
      if (!emit(ino, this.modeOf(ino), index + 1, name)) return;
    }
  }

  read(ino: number, offset: number, into: Uint8Array): number | PendingRead {
    if (ino === BASH) return this.shell.read(offset, into);
    const kind = ino < FIRST_EXTRA_INO ? kindOf(ino) : undefined;
    const entry = kind === undefined ? undefined : this.#turnOf(ino)?.entry;
    if (kind === ".in") return entry?.input.read(offset, into) ?? 0;
    if (kind === ".sh" && entry !== undefined) entry.isBegun = true;
    const part = this.#contents(ino)?.subarray(offset, offset + into.length);
    if (part === undefined) return 0;
    into.set(part);
    return part.length;
  }

  write(ino: number, _offset: number, data: Uint8Array): number {
    if (ino === READY) this.#ready(text(data));
    else if (ino === GONE) this.onGone(Number(text(data)));
    else this.#writeTurn(ino, data);
    return data.length;
  }

  statfs(): FileSystemStatistics {
    return { blockBytes: 4096, blocks: 1 << 20, freeBlocks: 1 << 20, files: 1024, freeFiles: 512 };
  }

  make(): number {
    throw new NinePError("EPERM");
  }
  link(): void {
    throw new NinePError("EPERM");
  }
  unlink(): void {
    throw new NinePError("EPERM");
  }
  rename(): void {
    throw new NinePError("EPERM");
  }
  readlink(): string {
    throw new NinePError("EINVAL");
  }
  getxattr(): Uint8Array {
    throw new NinePError("EOPNOTSUPP");
  }
  listxattr(): string[] {
    throw new NinePError("EOPNOTSUPP");
  }
  setxattr(): void {
    throw new NinePError("EOPNOTSUPP");
  }

  #turnOf(ino: number): { number: number; entry: TurnEntry } | undefined {
    const number = Math.floor((ino - FIRST_TURN_INO) / INOS_PER_TURN);
    const entry = this.#turns.get(number);
    return entry === undefined ? undefined : { number, entry };
  }

  #contents(ino: number): Uint8Array | undefined {
    if (ino === NEXT) return new TextEncoder().encode(`${this.upcoming}\n`);
    if (ino >= FIRST_EXTRA_INO) return this.#extras.get(ino);
    return kindOf(ino) === ".sh" ? this.#turnOf(ino)?.entry.script : undefined;
  }

  #ready(said: string): void {
    if (!/^\d+$/.test(said)) return;
    this.shell.isBusy = false;
    this.#running = undefined;
    this.onReady(Number(said));
  }

  #end(entry: TurnEntry | undefined, status: number): void {
    // A shell that ended before it had the script names the turn that it would have run.
    if (entry === undefined || entry.isWaiting) return;
    if (entry === this.#running) {
      this.#running = undefined;
      this.shell.isBusy = false;
    }
    entry.specification.onEnd(status);
  }

  #writeTurn(ino: number, data: Uint8Array): void {
    const entry = this.#turnOf(ino)?.entry;
    if (entry === undefined) return;
    switch (kindOf(ino)) {
      case ".out":
        entry.specification.onOutput("stdout", data);
        return;
      case ".err":
        entry.specification.onOutput("stderr", data);
        return;
      case ".attach":
        if (entry.attached.length + data.length > MAX_ATTACH_BYTES) throw new NinePError("ENOSPC");
        entry.attached += Buffer.from(data).toString("latin1");
        return;
      case ".end":
        if (isStatus(text(data))) this.#end(entry, Number(text(data)));
        return;
      case ".swept":
        entry.specification.onSwept?.();
    }
  }
}

function isStatus(said: string): boolean {
  return /^\d{1,3}$/.test(said);
}

function kindOf(ino: number): Kind | undefined {
  return ino < FIRST_TURN_INO ? undefined : KINDS[(ino - FIRST_TURN_INO) % INOS_PER_TURN];
}

/** Without loss: a directory's name need not be UTF-8. */
function text(data: Uint8Array): string {
  return fromByteStringExactly(Buffer.from(data).toString("latin1"));
}
