import v8 from "node:v8";

/**
 * V8's machine code for a wasm module, to be kept and used by other processes. Node.js has no interface for that; V8 has functions
 * behind a flag (src/runtime/runtime-test-wasm.cc), which is set for as long as each of them is named.
 */

/**
 * What V8's optimising compiler made of a module until now. Empty where it made nothing, or where this V8 has no such function.
 */
export function nativeCode(module: WebAssembly.Module): Uint8Array {
  const serialize = nativeFunction("module", "%SerializeWasmModule(module)");
  const code = serialize?.(module) as ArrayBuffer | undefined;
  return new Uint8Array(code ?? new ArrayBuffer(0));
}

/**
 * The module `wasm` with code that `nativeCode` gave for it. `undefined` where that is of another version of V8, of a processor
 * with other abilities, or was made with other flags. Damaged code is not noticed: whoever reads it checks it.
 */
export function moduleWithCode(wasm: Uint8Array, code: Uint8Array): WebAssembly.Module | undefined {
  if (code.length === 0) return undefined;
  const deserialize = nativeFunction("code", "wasm", "%DeserializeWasmModule(code, wasm)");
  return deserialize?.(Uint8Array.from(code).buffer, wasm) as WebAssembly.Module | undefined;
}

function nativeFunction(
  ...source: [...parameters: string[], expression: string]
): ((...values: unknown[]) => unknown) | undefined {
  const expression = source.at(-1);
  v8.setFlagsFromString("--allow-natives-syntax");
  try {
    return new Function(...source.slice(0, -1), `return ${expression}`) as () => unknown;
  } catch {
    // A V8 that does not know it.
    return undefined;
  } finally {
    v8.setFlagsFromString("--no-allow-natives-syntax");
  }
}
