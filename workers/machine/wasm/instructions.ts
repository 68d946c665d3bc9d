import { WasmError, WasmReader } from "./encoding.ts";

/** One instruction of a function's body. */
export interface Instruction {
  opcode: number;
  /** Where it begins in the body, and where the next does. */
  at: number;
  end: number;
}

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
/** Type of a block, as of an `if`, that leaves nothing on the stack. */
export const NO_RESULT = 0x40;

/** Opcodes that are looked for or written here (core specification, 5.4). */
export const OP = {
  if: 0x04,
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  i64Load: 0x29,
  i32Store: 0x36,
  i64Store: 0x37,
  i32Store8: 0x3a,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32LtU: 0x49,
  i64Eq: 0x51,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32And: 0x71,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  i64Or: 0x84,
  i32WrapI64: 0xa7,
  i64ExtendI32U: 0xad,
} as const;

/** Offset in a body at which its local declarations end and its instructions begin. */
export function instructionsAt(body: Uint8Array): number {
  const reader = new WasmReader(body);
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    reader.byte();
  }
  return reader.at;
}

/** The instructions of a function's body, in order. @throws WasmError at one that is not known here. */
export function* instructions(body: Uint8Array): Generator<Instruction> {
  const reader = new WasmReader(body, instructionsAt(body));
  while (!reader.isAtEnd) {
    const at = reader.at;
    const opcode = reader.byte();
    skipImmediates(reader, opcode);
    yield { opcode, at, end: reader.at };
  }
}

/** Offset of the memory access that `store` makes: its second immediate. */
export function accessOffset(body: Uint8Array, store: Instruction): number {
  const reader = new WasmReader(body, store.at + 1);
  reader.u32();
  return reader.u32();
}

function skipImmediates(reader: WasmReader, opcode: number): void {
  if (opcode === 0xfd) skipVectorImmediates(reader);
  else if (opcode === 0x1c) reader.bytes(reader.u32());
  else if (opcode === 0x43) reader.bytes(4);
  else if (opcode === 0x44) reader.bytes(8);
  else {
    for (let left = countNumbers(reader, opcode); left > 0; left--) reader.skipNumber();
  }
}

/** How many numbers are still to come; a branch table and 0xfc begin with one that says so. */
function countNumbers(reader: WasmReader, opcode: number): number {
  if (opcode === 0x0e) return reader.u32() + 1;
  if (opcode === 0xfc) return extendedNumbers(reader.u32());
  return immediateNumbers(opcode);
}

/** How many numbers follow an opcode. */
function immediateNumbers(opcode: number): number {
  if (opcode <= 0x01 || opcode === 0x05 || opcode === 0x0b || opcode === 0x0f) return 0;
  if (opcode >= 0x02 && opcode <= 0x04) return 1;
  if (opcode === 0x0c || opcode === 0x0d || opcode === OP.call) return 1;
  if (opcode === 0x11) return 2;
  if (opcode === 0x1a || opcode === 0x1b) return 0;
  if (opcode >= 0x20 && opcode <= 0x26) return 1;
  if (opcode >= 0x28 && opcode <= 0x3e) return 2;
  if (opcode >= 0x3f && opcode <= 0x42) return 1;
  if (opcode >= 0x45 && opcode <= 0xc4) return 0;
  throw new WasmError(`instruction 0x${opcode.toString(16)} is not known`);
}

/** The same for what follows 0xfc: saturating conversions and bulk memory. */
function extendedNumbers(opcode: number): number {
  if (opcode <= 7) return 0;
  if (opcode === 8 || opcode === 10 || opcode === 12 || opcode === 14) return 2;
  if (opcode <= 17) return 1;
  throw new WasmError(`instruction 0xfc ${opcode} is not known`);
}

/** What follows 0xfd: vectors of 128 bits. */
function skipVectorImmediates(reader: WasmReader): void {
  const opcode = reader.u32();
  const isLane = (opcode >= 21 && opcode <= 34) || (opcode >= 84 && opcode <= 91);
  if (opcode <= 11 || (opcode >= 84 && opcode <= 93)) {
    reader.skipNumber();
    reader.skipNumber();
  }
  if (opcode === 12 || opcode === 13) reader.bytes(16);
  if (isLane) reader.byte();
}
