import { u32 } from "./wasm/encoding.ts";
import type { WasmModule } from "./wasm/module.ts";

/**
 * Tells V8 to compile the emulator by TurboFan while all other modules are left to Liftoff. Setting V8's flags for the
 * time of `WebAssembly.compile` does not do it: since V8 compiles a function when it is first called, the flags of that
 * moment count. The hints stand in a custom section (V8 12.4, src/wasm/module-decoder-impl.h
 * `DecodeCompilationHintsSection`), one byte a function: strategy, tier at first, tier at last.
 */

export const HINTS_FLAG = "--experimental-wasm-compilation-hints";

const SECTION_NAME = "compilationHints";
const STRATEGY = { lazy: 1, eager: 2 };
const OPTIMIZED = 2;
const BASELINE_SHIFT = 2;
const TOP_SHIFT = 4;
/** One function an instruction and form of it: half of the code, of which a guest needs a tenth. */
const OF_ONE_INSTRUCTION = /(^|\d)instr/;

/** @param isEager most of it is compiled at once, in the background; else each function when it is first called. */
export function addCompilationHints(module: WasmModule, { isEager }: { isEager: boolean }): void {
  const names = module.functionNames;
  const hints = [...module.functionIndices()].map((index) => {
    const isNow = isEager && !OF_ONE_INSTRUCTION.test(names.get(index) ?? "");
    const strategy = isNow ? STRATEGY.eager : STRATEGY.lazy;
    return strategy | (OPTIMIZED << BASELINE_SHIFT) | (OPTIMIZED << TOP_SHIFT);
  });
  module.addCustomSection(SECTION_NAME, Uint8Array.from([...u32(hints.length), ...hints]));
}
