import type { StatefulDevice } from "./v86-internals.ts";

/** The screen's three arrays have 256 KiB and more; its palettes and registers hardly one. */
const LARGE_BYTES = 64 << 10;
const AS_AT_FIRST = new Uint8Array(0);

/**
 * Leave the memory of a screen that nobody looks at out of a machine's states: v86 writes all of it into each, a megabyte
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
      const now = bytesOf(value);
      return before !== undefined && now?.equals(before) ? AS_AT_FIRST : value;
    });
  screen.set_state = (state) => {
    first ??= state.map((value) => {
      const bytes = bytesOf(value);
      return bytes !== undefined && bytes.length >= LARGE_BYTES ? bytes : undefined;
    });
    // v86 copies them.
    setState(
      state.map((value, at) => (bytesOf(value)?.length === 0 ? (first?.[at] ?? value) : value)),
    );
  };
}

/** What stands in v86's wasm memory is a proxy in place of an array, which `instanceof` and `isView` do not know. */
function bytesOf(value: unknown): Buffer | undefined {
  const { BYTES_PER_ELEMENT, buffer, byteOffset, length } = Object(value);
  return BYTES_PER_ELEMENT === 1 ? Buffer.from(buffer, byteOffset, length) : undefined;
}
