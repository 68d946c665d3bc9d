/** What stands in a `DueHeap`; both fields are the heap's to read, `place` its to write. */
export interface Due {
  dueMs: number;
  /** Index in the heap, -1 outside. */
  place: number;
}

/** A binary heap, the one that is due next in front; any of them can be moved or taken out. */
export class DueHeap<Item extends Due> {
  readonly #items: Item[] = [];

  get first(): Item | undefined {
    return this.#items[0];
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  remove(item: Item): void {
    const { place } = item;
    const last = this.#items.pop();
    item.place = -1;
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.move(last);
  }

  /** Its `dueMs` has changed. */
  move(item: Item): void {
    this.#rise(item);
    this.#sink(item);
  }

  clear(): void {
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  #rise(item: Item): void {
    for (let { place } = item; place > 0; ) {
      const above = (place - 1) >>> 1;
      const parent = this.#items[above];
      if (parent === undefined || parent.dueMs <= item.dueMs) return;
      this.#put(parent, place);
      this.#put(item, above);
      place = above;
    }
  }

  #sink(item: Item): void {
    for (let { place } = item; ; ) {
      const below = 2 * place + 1;
      let child = this.#items[below];
      const right = this.#items[below + 1];
      if (child === undefined) return;
      if (right !== undefined && right.dueMs < child.dueMs) child = right;
      if (child.dueMs >= item.dueMs) return;
      const target = child.place;
      this.#put(child, place);
      this.#put(item, target);
      place = target;
    }
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}
