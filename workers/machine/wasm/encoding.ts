/** The binary format's small parts: LEB128 numbers, names, vectors (WebAssembly core specification, 5.2). */

export class WasmError extends Error {
  readonly code = "WASM_NOT_AS_EXPECTED";
}

const UTF8 = new TextDecoder();

/** Reads a part of a module from its start on. @throws WasmError past its end. */
export class WasmReader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new WasmError("the wasm module ends in the middle of something");
    return byte;
  }

  bytes(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#bytes.length) {
      throw new WasmError("the wasm module ends in the middle of something");
    }
    const bytes = this.#bytes.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new WasmError("a number in the wasm module is longer than 32 bits");
  }

  /** Step over a number of any size, signed or not. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  name(): string {
    return UTF8.decode(this.bytes(this.u32()));
  }
}

export function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

/** The same for a constant, which has a sign. */
export function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = Math.floor(value / 0x80);
  const isLast = (rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}

export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...u32(bytes.length), ...bytes];
}

/** `content` behind its length in bytes. */
export function sized(content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from(u32(content.length)), content]);
}

/** A vector: how many, then one after another. */
export function vector(items: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.from(u32(items.length)), ...items]);
}
