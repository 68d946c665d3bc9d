import { PAGE_BYTES } from "./base-pages.ts";
import { allocate, type Cpu, setGlobal } from "./v86-internals.ts";
import { TRACKING_GLOBALS } from "./write-tracking.ts";

/** What of guest RAM was written since it was last asked for. */
export interface WrittenPages {
  /**
   * Numbers of the pages, ascending, at least those that were written; `undefined` when nobody can tell. They
   * count from here on anew. The machine must be stopped.
   */
  take(): Uint32Array | undefined;
}

/** For an emulator without write tracking: any page may have been written. */
export const untrackedPages: WrittenPages = { take: () => undefined };

/** Follow what the emulator of `addWriteTracking` notes, and what v86's JavaScript writes past it. */
export function trackPages(cpu: Cpu): WrittenPages {
  const pageCount = cpu.mem8.length / PAGE_BYTES;
  const mapAddress = allocate(cpu, pageCount);
  // Its memory is another buffer after it has grown.
  const map = () => new Uint8Array(cpu.mem8.buffer, mapAddress, pageCount);
  map().fill(1);
  setGlobal(cpu, TRACKING_GLOBALS.ram, cpu.mem8.byteOffset);
  setGlobal(cpu, TRACKING_GLOBALS.map, mapAddress);
  setGlobal(cpu, TRACKING_GLOBALS.pages, pageCount);

  watchScriptWrites(cpu, (start, bytes) => {
    const first = Math.max(0, Math.floor(start / PAGE_BYTES));
    map().fill(1, first, Math.ceil((start + bytes) / PAGE_BYTES));
  });
  const forgetTranslations = cpu.wm.exports.full_clear_tlb as () => void;
  return {
    take() {
      const written = markedPages(map());
      map().fill(0);
      // The next write to any page finds no TLB entry, and is noted when it gets one.
      forgetTranslations();
      return written;
    },
  };
}

function markedPages(map: Uint8Array): Uint32Array {
  const numbers: number[] = [];
  const marks = Buffer.from(map.buffer, map.byteOffset, map.length);
  for (let page = marks.indexOf(1); page >= 0; page = marks.indexOf(1, page + 1)) {
    numbers.push(page);
  }
  return Uint32Array.from(numbers);
}

/**
 * v86's devices write RAM by `write_blob` and `write8/16/32`, which the emulator notes. Past those go the balloon
 * (`zero_memory`), the BIOS's second place at 0xfff00000 (`mem8[…] = …`), a reset and the loading of a kernel:
 * all by `mem8`, `mem32s` and `zero_memory` of src/cpu.js, and looked up there at each use.
 */
function watchScriptWrites(cpu: Cpu, mark: (start: number, bytes: number) => void): void {
  const zeroMemory = cpu.zero_memory;
  cpu.zero_memory = (start, bytes) => {
    mark(start, bytes);
    zeroMemory(start, bytes);
  };
  cpu.mem8 = watchedView(cpu.mem8, 1, mark);
  cpu.mem32s = watchedView(cpu.mem32s, 4, mark);
}

/** Members of a view that write nothing. */
const READING = new Set([
  "buffer",
  "byteOffset",
  "length",
  "BYTES_PER_ELEMENT",
  "subarray",
  "slice",
]);

function watchedView<View extends Uint8Array | Int32Array>(
  view: View,
  elementBytes: number,
  mark: (start: number, bytes: number) => void,
): View {
  const memoryBytes = view.length * elementBytes;
  const set = (source: ArrayLike<number>, at = 0): void => {
    mark(at * elementBytes, source.length * elementBytes);
    view.set(source, at);
  };
  return new Proxy(view, {
    get(target, member) {
      if (member === "set") return set;
      const isRead = READING.has(String(member)) || /^\d+$/.test(String(member));
      if (!isRead) mark(0, memoryBytes);
      return Reflect.get(target, member);
    },
    set(target, member, value) {
      mark(Number(member) * elementBytes, elementBytes);
      return Reflect.set(target, member, value);
    },
  });
}
