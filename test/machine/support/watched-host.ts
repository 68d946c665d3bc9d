import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machineParameters } from "../../../images/base.ts";
import type { SandboxState } from "../../../workers/machine/api.ts";
import { contentId, readBase } from "../../../workers/machine/base-file.ts";
import { FilePages, PAGE_BYTES } from "../../../workers/machine/base-pages.ts";
import { Emulator } from "../../../workers/machine/emulator.ts";
import { MachineHost } from "../../../workers/machine/host.ts";
import { filesFolder } from "../../../workers/machine/image-files.ts";
import { KEY_BYTES, type RandomSource } from "../../../workers/machine/kernel-random.ts";
import type { PageSet } from "../../../workers/machine/memory.ts";
import { PagePacks } from "../../../workers/machine/page-packs.ts";
import { unpackBase, unpackSnapshot } from "../../../workers/machine/sandbox.ts";
import { DiskBlobStore } from "../../../workers/ninep/blob-store.ts";
import { testGuest } from "../../support/guest.ts";

const PIECE_BYTES = 64 * PAGE_BYTES;

/** What was found when the machine asked which pages were written. */
export interface Comparison {
  /** Pages that are not as they were the time before, by a comparison of all. */
  changed: number;
  written: number;
  /** Pages that changed and were not named as written: must be none. */
  missed: number[];
}

interface WatchedBase {
  id: string;
  memory: Buffer;
  pages: FilePages;
  random: RandomSource | undefined;
}

/** A machine inside the test's own process, so that its RAM can be compared with what it says of it. */
export class WatchedHost {
  readonly comparisons: Comparison[] = [];
  readonly #folder: string;
  readonly #base: WatchedBase | undefined;
  #host: MachineHost | undefined;
  #emulator: Emulator | undefined;
  #before: Buffer | undefined;
  /** Room for what memory should be. */
  #expected: Buffer | undefined;
  #lastExec = 0;

  private constructor(folder: string, base: WatchedBase | undefined) {
    this.#folder = folder;
    this.#base = base;
  }

  /** Start from the built base, or from power-on. */
  static async start(from: "base" | "power-on"): Promise<WatchedHost> {
    const { image, base } = await testGuest();
    const dataDir = await mkdtemp(join(tmpdir(), "mom-watched-"));
    const parameters = machineParameters(image, from === "base" ? base : null, { dataDir });
    const { record, state, pagesPath } = await readBase(base.dir);
    const { memoryBytes } = record;
    const { numbers, places } = unpackBase(state, memoryBytes);
    const memory = Buffer.alloc(memoryBytes);
    const imageFiles = filesFolder(image.dir);
    const pages = new FilePages({ path: pagesPath, imageFiles, numbers, places, memoryBytes });
    pages.read(0, memory);
    const watched = new WatchedHost(
      dataDir,
      from === "base" ? { id: contentId(record), memory, pages, random: record.random } : undefined,
    );

    const create = Emulator.create;
    Emulator.create = async (options) => {
      const emulator = await create.call(Emulator, options);
      watched.#watch(emulator);
      return emulator;
    };
    try {
      watched.#host = await MachineHost.start(parameters, () => {});
    } finally {
      Emulator.create = create;
    }
    return watched;
  }

  /** Ask the emulator which pages were written, and compare all of RAM with a copy from the time before. */
  check(): void {
    this.#emulator?.takeWrittenPages();
  }

  /** @returns what the command printed. */
  async run(script: string): Promise<string> {
    const report = await this.#answer({
      call: "exec",
      id: ++this.#lastExec,
      in: { script, hasInput: false, files: {}, timeoutMs: 300_000, maxOutputBytes: 1_000_000 },
    });
    return JSON.stringify(report);
  }

  /** Save, and compare what was saved with all of RAM. */
  async save(): Promise<SandboxState> {
    const state = (await this.#answer({ call: "save", id: 0, in: null })) as SandboxState;
    this.#requireMemory(state, "a snapshot");
    return state;
  }

  /** Load, and compare all of RAM with what was saved. `null` is the base. */
  async load(state: SandboxState | null): Promise<void> {
    await this.#answer({ call: "load", id: 0, in: state });
    this.#requireMemory(state, "the memory after a switch", this.#base?.random);
  }

  async stop(): Promise<void> {
    await this.#emulator?.stop();
    await this.#emulator?.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #unpack(state: SandboxState, base: string, memoryBytes: number, pages: FilePages) {
    const packs = new PagePacks(new DiskBlobStore(join(this.#folder, "blobs")), pages);
    return unpackSnapshot(state.data, packs, base, memoryBytes);
  }

  #answer(call: Parameters<MachineHost["answer"]>[0]): Promise<unknown> {
    if (this.#host === undefined) throw new Error("the machine has not started");
    return this.#host.answer(call);
  }

  #watch(emulator: Emulator): void {
    this.#emulator = emulator;
    const take = emulator.takeWrittenPages.bind(emulator);
    emulator.takeWrittenPages = () => {
      const written = take();
      if (written === undefined) throw new Error("the emulator does not track its writes");
      if (this.#before === undefined) {
        this.#before = Buffer.from(emulator.memory);
      } else {
        this.comparisons.push(compare(this.#before, emulator.memory, written));
      }
      return written;
    };
    emulator.takeWrittenPages();
  }

  /** @param renewed the kernel's random generator, whose key and generation are new after each switch. */
  #requireMemory(state: SandboxState | null, what: string, renewed?: RandomSource): void {
    if (this.#base === undefined || this.#emulator === undefined) {
      throw new Error("the machine has no base");
    }
    const { id, memory, pages } = this.#base;
    this.#expected ??= Buffer.alloc(memory.length);
    const expected = this.#expected;
    expected.set(memory);
    if (state !== null) setPages(expected, this.#unpack(state, id, memory.length, pages).pages);
    if (renewed) {
      const end = renewed.address + KEY_BYTES + 8;
      expected.set(this.#emulator.memory.subarray(renewed.address, end), renewed.address);
    }
    const wrong = differentPages(expected, bufferOver(this.#emulator.memory));
    if (wrong.length > 0) throw new Error(`${what} is wrong in pages ${wrong.slice(0, 20)}`);
  }
}

/** Compare `now` with `before`, and make `before` a copy of it. */
function compare(before: Buffer, now: Uint8Array, written: Uint32Array): Comparison {
  const changed = differentPages(before, bufferOver(now));
  const named = new Set(written);
  for (const page of changed) {
    const at = page * PAGE_BYTES;
    before.set(now.subarray(at, at + PAGE_BYTES), at);
  }
  return {
    changed: changed.length,
    written: written.length,
    missed: changed.filter((page) => !named.has(page)),
  };
}

/** First in large pieces: nearly all of the RAM is the same. */
function differentPages(a: Buffer, b: Buffer): number[] {
  const pages: number[] = [];
  const differ = (at: number, end: number) => a.compare(b, at, end, at, end) !== 0;
  for (let piece = 0; piece < a.length; piece += PIECE_BYTES) {
    const end = Math.min(piece + PIECE_BYTES, a.length);
    if (!differ(piece, end)) continue;
    for (let at = piece; at < end; at += PAGE_BYTES) {
      if (differ(at, at + PAGE_BYTES)) pages.push(at / PAGE_BYTES);
    }
  }
  return pages;
}

function setPages(memory: Buffer, pages: PageSet): void {
  for (const [index, page] of pages.numbers.entries()) {
    const content = pages.contents.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    memory.set(content, page * PAGE_BYTES);
  }
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
