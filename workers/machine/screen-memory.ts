import type { StatefulDevice } from "./v86-internals.ts";

/** The screen's three arrays have 256 KiB and more; its palettes and registers hardly one. */
const LARGE_BYTES = 64 << 10;
const AS_AT_FIRST = new Uint8Array(0);

/**
 * Leave the memory of a screen that nobody looks at out of a machine's states: v86 writes all of it into each, 2.8 of 3 MB
 * (src/vga.js). A state has the arrays that are not as the first restored state had them, which is the base's, and nothing
 * for the others. What a guest writes there stays its own.
 */
export function leaveOutScreen(screen: StatefulDevice): void {
  const getState = screen.get_state.bind(screen);
  const setState = screen.set_state.bind(screen);
  let first: (Uint8Array | undefined)[] | undefined;
  screen.get_state = () =>
    getState().map((value, at) => {
      const before = first?.[at];
      return before !== undefined && isSame(before, value) ? AS_AT_FIRST : value;
    });
  screen.set_state = (state) => {
    first ??= state.map((value) =>
      value instanceof Uint8Array && value.length >= LARGE_BYTES ? value : undefined,
    );
    // v86 copies them.
    setState(
      state.map((value, at) =>
        value instanceof Uint8Array && value.length === 0 ? (first?.[at] ?? value) : value,
      ),
    );
  };
}

function isSame(before: Uint8Array, value: unknown): boolean {
  return (
    value instanceof Uint8Array &&
    Buffer.from(before.buffer, before.byteOffset, before.length).equals(value)
  );
}
