import { expect, test } from "vitest";
import { leaveOutScreen } from "../../workers/machine/screen-memory.ts";

const LARGE = 256 << 10;

/** In place of an array in wasm memory, which moves when the memory grows (v86 0.5.462, src/lib.js `view`). */
const viewOf = (array: Uint8Array): Uint8Array =>
  new Proxy({} as Uint8Array, {
    get: (_, name) => {
      const value = Reflect.get(array, name, array);
      return typeof value === "function" ? value.bind(array) : value;
    },
  });

/** A screen as v86's: registers, a small palette and two large arrays, whose states are views of its own memory. */
function screen() {
  const registers = [1, 2];
  const palette = new Uint8Array(16);
  const planes = new Uint8Array(LARGE);
  const pixels = new Uint8Array(LARGE);
  const device = {
    get_state: (): unknown[] => [registers[0], palette, planes, registers[1], viewOf(pixels)],
    set_state: (state: unknown[]) => {
      registers[0] = state[0] as number;
      registers[1] = state[3] as number;
      palette.set(state[1] as Uint8Array);
      planes.set(state[2] as Uint8Array);
      pixels.set(state[4] as Uint8Array);
    },
  };
  leaveOutScreen(device);
  return { device, registers, palette, planes, pixels };
}

/** As it is written and read again. */
const copyOf = (state: unknown[]) =>
  state.map((value) => (isArray(value) ? new Uint8Array(value.buffer.slice(0)) : value));
const lengthsOf = (state: unknown[]) =>
  state.map((value) => (isArray(value) ? value.length : value));
const isArray = (value: unknown): value is Uint8Array => Object(value).BYTES_PER_ELEMENT === 1;

function baseState(): unknown[] {
  const { device, planes } = screen();
  planes.fill(7, 100, 200);
  return copyOf(device.get_state());
}

test("a machine that was booted writes all of it", () => {
  expect(lengthsOf(baseState())).toEqual([1, 16, LARGE, 2, LARGE]);
});

test("over a base only what is not as it was there is written, and each state gets its own back", () => {
  const base = baseState();
  const { device, registers, palette, planes, pixels } = screen();
  device.set_state(copyOf(base));
  const untouched = copyOf(device.get_state());
  expect(lengthsOf(untouched)).toEqual([1, 16, 0, 2, 0]);

  registers[0] = 5;
  palette.fill(3);
  planes.fill(9);
  const written = copyOf(device.get_state());
  expect(lengthsOf(written)).toEqual([5, 16, LARGE, 2, 0]);
  pixels.fill(1);

  device.set_state(untouched);
  expect([registers[0], palette[0], planes[0], planes[150], pixels[0]]).toEqual([1, 0, 0, 7, 0]);
  device.set_state(written);
  expect([registers[0], palette[0], planes[0], planes[150], pixels[0]]).toEqual([5, 3, 9, 9, 0]);
  device.set_state(copyOf(base));
  expect([planes[0], planes[150]]).toEqual([0, 7]);
});

test("another machine over the same base reads what the first wrote", () => {
  const base = baseState();
  const first = screen();
  first.device.set_state(copyOf(base));
  first.pixels.fill(4);
  const saved = copyOf(first.device.get_state());
  const second = screen();
  second.device.set_state(copyOf(base));
  second.device.set_state(saved);
  expect([second.pixels[0], second.planes[150]]).toEqual([4, 7]);
});
