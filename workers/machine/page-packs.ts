import { hash } from "node:crypto";
import type { BlobStore } from "../ninep/blob-store.ts";
import { MachineError } from "./api.ts";
import { type BasePages, PAGE_BYTES, pageOf } from "./base-pages.ts";
import type { PageSet } from "./memory.ts";
import { applyDelta, isNearer, MAX_DELTA_BYTES, wordsOf, writeDelta } from "./page-delta.ts";

/**
 * Where the pages of a snapshot are: packs of pages, each a blob under its hash. A snapshot takes over the places
 * of all pages that are as they were in the one before, so that a turn stores only the pages that it changed. And of
 * those only what it changed in them: most differ from the base in a few words, and are written as that
 * difference (`page-delta.ts`).
 */
export interface PagePlaces {
  packs: { hash: string; pages: number }[];
  /** Page numbers, ascending. */
  numbers: Uint32Array;
  /** For each of them two numbers: index in `packs`, and at which word of that pack, with `OVER_BASE` or not. */
  places: Uint32Array;
}

/** Set in a place: the page is stored as what differs from the base's page, instead of from zeros. */
const OVER_BASE = 0x8000_0000;
/** Pages in one pack: 4 MiB at most. */
const PACK_PAGES = 1_024;
/** More packs than that are merged, the smallest first: each is a file to be read. */
const MAX_PACKS = 24;
const MERGED_PACKS = 8;

/** So many are put together in the same memory at each switch; most threads have a few hundred. What takes more is garbage afterwards. */
const ROOM_PAGES = 4_096;
const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

const NO_PAGES: PageSet = { numbers: new Uint32Array(0), contents: new Uint8Array(0) };
const NO_PLACES: PagePlaces = { packs: [], numbers: NO_PAGES.numbers, places: new Uint32Array(0) };

/** Keeps the pages of one machine's sandboxes; knows those of the sandbox that it loaded or saved last. */
export class PagePacks {
  readonly #store: BlobStore;
  readonly #base: BasePages;
  /** The base's page that is dealt with. */
  readonly #basePage = Buffer.allocUnsafeSlow(PAGE_BYTES);
  /** What is not used takes no memory. */
  readonly #room = Buffer.allocUnsafeSlow(ROOM_PAGES * PAGE_BYTES);
  #pages = NO_PAGES;
  #places = NO_PLACES;

  constructor(store: BlobStore, base: BasePages) {
    this.#store = store;
    this.#base = base;
  }

  /** The machine is in the base now. */
  forget(): void {
    this.#pages = NO_PAGES;
    this.#places = NO_PLACES;
  }

  /** Put the pages into the store, but for those that are there. Throws the store's error. */
  save(pages: PageSet): PagePlaces {
    const kept = this.#keptPlaces(pages);
    const worn = wornPacks(this.#places, kept);
    const packs: PagePlaces["packs"] = [];
    const numberOf = new Map<number, number>();
    const places = new Uint32Array(pages.numbers.length * 2);
    const fresh: number[] = [];
    for (const [index, place] of kept.entries()) {
      const old = place === undefined ? undefined : this.#places.packs[place.pack];
      if (place === undefined || old === undefined || worn.has(place.pack)) {
        fresh.push(index);
        continue;
      }
      let pack = numberOf.get(place.pack);
      if (pack === undefined) {
        pack = packs.push(old) - 1;
        numberOf.set(place.pack, pack);
      }
      places.set([pack, place.page], index * 2);
    }
    for (let at = 0; at < fresh.length; at += PACK_PAGES) {
      const members = fresh.slice(at, at + PACK_PAGES);
      const { hash: name, encoded } = this.#put(pages, members);
      const pack = packs.push({ hash: name, pages: members.length }) - 1;
      for (const [at, index] of members.entries()) places.set([pack, encoded[at] ?? 0], index * 2);
    }
    this.#pages = pages;
    this.#places = { packs, numbers: pages.numbers, places };
    return this.#places;
  }

  /**
   * The pages, valid until the next call.
   *
   * @throws MachineError BAD_STATE where a pack is missing, damaged or too short.
   */
  load({ packs, numbers, places }: PagePlaces): PageSet {
    // Its pages are overwritten below.
    this.forget();
    const bytes = numbers.length * PAGE_BYTES;
    const contents =
      bytes <= this.#room.length ? this.#room.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
    const members = new Map<number, number[]>();
    for (let index = 0; index < numbers.length; index++) {
      const pack = places[index * 2] ?? 0;
      const list = members.get(pack);
      if (list) list.push(index);
      else members.set(pack, [index]);
    }
    // One pack in memory at a time.
    for (const [number, indices] of members) {
      const deltas = wordsOf(this.#get(packs[number]?.hash ?? ""));
      for (const index of indices) {
        const place = places[index * 2 + 1] ?? 0;
        const page = pageOf(contents, index);
        if (place >= OVER_BASE) this.#base.read(numbers[index] ?? 0, page);
        else page.fill(0);
        if (!applyDelta(page, deltas, place & ~OVER_BASE)) {
          throw new MachineError("BAD_STATE", "the saved state is damaged: its pages do not fit");
        }
      }
    }
    this.#pages = { numbers, contents };
    this.#places = { packs, numbers, places };
    return this.#pages;
  }

  /** For each page where it is in the store already, if it is. */
  #keptPlaces({ numbers, contents }: PageSet): ({ pack: number; page: number } | undefined)[] {
    const known = this.#pages;
    const { places } = this.#places;
    let at = 0;
    return Array.from(numbers, (number, index) => {
      while ((known.numbers[at] ?? Number.POSITIVE_INFINITY) < number) at++;
      if (known.numbers[at] !== number) return undefined;
      const before = pageOf(known.contents, at);
      if (!before.equals(pageOf(contents, index))) return undefined;
      return { pack: places[at * 2] ?? 0, page: places[at * 2 + 1] ?? 0 };
    });
  }

  /** Store these as a pack; `encoded` has for each at which word of the pack it is, with `OVER_BASE` or not. */
  #put(pages: PageSet, members: number[]): { hash: string; encoded: number[] } {
    const room = Buffer.allocUnsafeSlow(members.length * MAX_DELTA_BYTES);
    const deltas = wordsOf(room);
    let end = 0;
    const encoded = members.map((index) => {
      const at = end;
      const page = pageOf(pages.contents, index);
      this.#base.read(pages.numbers[index] ?? 0, this.#basePage);
      const isOverBase = isNearer(page, this.#basePage);
      end = writeDelta(page, isOverBase ? this.#basePage : ZERO_PAGE, deltas, at);
      return isOverBase ? at + OVER_BASE : at;
    });
    const pack = room.subarray(0, end * deltas.BYTES_PER_ELEMENT);
    const name = hash("sha256", pack, "hex");
    this.#store.put(name, pack);
    return { hash: name, encoded };
  }

  #get(name: string): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#store.get(name);
    } catch (cause) {
      throw new MachineError("BAD_STATE", "a part of the saved state is missing or damaged", {
        cause,
      });
    }
    if (hash("sha256", bytes, "hex") !== name) {
      throw new MachineError("BAD_STATE", "a part of the saved state is damaged");
    }
    return bytes;
  }
}

/**
 * Packs whose pages are better written anew: those of which less than half is still in use, and the smallest ones
 * when there are too many. Each page is so rewritten a bounded number of times.
 */
function wornPacks(
  { packs }: PagePlaces,
  kept: readonly ({ pack: number } | undefined)[],
): ReadonlySet<number> {
  const used = new Array<number>(packs.length).fill(0);
  for (const place of kept) {
    if (place) used[place.pack] = (used[place.pack] ?? 0) + 1;
  }
  const worn = new Set<number>();
  for (const [index, { pages }] of packs.entries()) {
    if ((used[index] ?? 0) * 2 < pages) worn.add(index);
  }
  const left = packs.map((_, index) => index).filter((index) => !worn.has(index));
  if (left.length > MAX_PACKS) {
    left.sort((a, b) => (used[a] ?? 0) - (used[b] ?? 0));
    for (const index of left.slice(0, left.length - MERGED_PACKS)) worn.add(index);
  }
  return worn;
}
