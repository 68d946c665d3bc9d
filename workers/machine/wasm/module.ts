import { name, sized, u32, vector, WasmError, WasmReader } from "./encoding.ts";
import { I32, OP } from "./instructions.ts";

const SECTION = { custom: 0, type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 };
const IMPORT = { function: 0, table: 1, memory: 2, global: 3 };
const EXPORT = { function: 0, global: 3 };
const FUNCTION_TYPE = 0x60;
const MUTABLE = 1;
const MAGIC_AND_VERSION = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
/** Subsection of the custom section `name`: function names by index. */
const FUNCTION_NAMES = 1;

interface Section {
  id: number;
  content: Uint8Array;
}

/**
 * A wasm module whose functions can be changed. What is added comes last in its index space, so that no index
 * that stands in the code changes.
 *
 * @example
 * const module = new WasmModule(bytes);
 * const counter = module.addGlobal("_counter");
 * const index = module.functionNamed("do_page_walk");
 * module.setBody(index, edit(module.body(index)));
 * const changed = module.toBytes();
 */
export class WasmModule {
  readonly #sections: Section[] = [];
  readonly #types: Uint8Array[];
  /** Type indices of the module's own functions. */
  readonly #functions: Uint8Array[];
  readonly #globals: Uint8Array[];
  readonly #exports: Uint8Array[];
  readonly #bodies: Uint8Array[];
  readonly #importedFunctions: number;
  readonly #importedGlobals: number;
  #names: ReadonlyMap<number, string> | undefined;

  constructor(bytes: Uint8Array) {
    const reader = new WasmReader(bytes);
    if (Buffer.compare(reader.bytes(8), MAGIC_AND_VERSION) !== 0) {
      throw new WasmError("these bytes are not a wasm module of version 1");
    }
    while (!reader.isAtEnd) {
      const id = reader.byte();
      this.#sections.push({ id, content: reader.bytes(reader.u32()) });
    }
    this.#types = this.#items(SECTION.type, skipFunctionType);
    this.#functions = this.#items(SECTION.function, (entry) => void entry.u32());
    this.#globals = this.#items(SECTION.global, skipGlobal);
    this.#exports = this.#items(SECTION.export, (entry) => {
      entry.name();
      entry.byte();
      entry.u32();
    });
    this.#bodies = this.#items(SECTION.code, (entry) => void entry.bytes(entry.u32()));
    const imports = this.#items(SECTION.import, skipImport).map(importKind);
    this.#importedFunctions = imports.filter((kind) => kind === IMPORT.function).length;
    this.#importedGlobals = imports.filter((kind) => kind === IMPORT.global).length;
  }

  /** Index of the one function whose name in the name section ends so. @throws WasmError: none, or several. */
  functionNamed(ending: string): number {
    const found = [...this.functionNames].filter(([, text]) => text.endsWith(ending));
    const [only] = found;
    if (only === undefined || found.length > 1) {
      throw new WasmError(`${found.length} functions of the module are named ${ending}, not one`);
    }
    return only[0];
  }

  /** By index, as the name section has them. */
  get functionNames(): ReadonlyMap<number, string> {
    this.#names ??= new Map(this.#readNames());
    return this.#names;
  }

  *#readNames(): Generator<[number, string]> {
    for (const { id, content } of this.#sections) {
      const reader = new WasmReader(content);
      if (id !== SECTION.custom || reader.name() !== "name") continue;
      while (!reader.isAtEnd) {
        const kind = reader.byte();
        const names = new WasmReader(reader.bytes(reader.u32()));
        if (kind !== FUNCTION_NAMES) continue;
        for (let left = names.u32(); left > 0; left--) yield [names.u32(), names.name()];
      }
    }
  }

  exportedFunction(exportName: string): number {
    for (const entry of this.#exports) {
      const reader = new WasmReader(entry);
      if (reader.name() === exportName && reader.byte() === EXPORT.function) return reader.u32();
    }
    throw new WasmError(`the module exports no function ${exportName}`);
  }

  /** Indices of the functions that have a body here. */
  *functionIndices(): Generator<number> {
    for (const position of this.#bodies.keys()) yield this.#importedFunctions + position;
  }

  /** Local declarations and instructions of a function. */
  body(index: number): Uint8Array {
    const body = this.#bodies[index - this.#importedFunctions];
    if (body === undefined) throw new WasmError(`the module has no code for function ${index}`);
    const reader = new WasmReader(body);
    return reader.bytes(reader.u32());
  }

  setBody(index: number, body: Uint8Array): void {
    this.body(index);
    this.#bodies[index - this.#importedFunctions] = sized(body);
  }

  /** Add a mutable i32, zero at first, under a name by which the host can set it. @returns its index. */
  addGlobal(exportName: string): number {
    const index = this.#importedGlobals + this.#globals.length;
    this.#globals.push(Uint8Array.of(I32, MUTABLE, OP.i32Const, 0, OP.end));
    this.#exports.push(Uint8Array.from([...name(exportName), EXPORT.global, ...u32(index)]));
    return index;
  }

  /** Add a function of value types. @returns its index. */
  addFunction(parameters: readonly number[], results: readonly number[], body: Uint8Array): number {
    const index = this.#importedFunctions + this.#functions.length;
    const takes = [parameters.length, ...parameters];
    const type = Uint8Array.from([FUNCTION_TYPE, ...takes, results.length, ...results]);
    let typeIndex = this.#types.findIndex((known) => Buffer.compare(known, type) === 0);
    if (typeIndex < 0) typeIndex = this.#types.push(type) - 1;
    this.#functions.push(Uint8Array.from(u32(typeIndex)));
    this.#bodies.push(sized(body));
    return index;
  }

  /** Add a custom section in front of the code, which is where those about functions belong. */
  addCustomSection(sectionName: string, content: Uint8Array): void {
    const at = this.#sections.findIndex(({ id }) => id === SECTION.code);
    if (at < 0) throw new WasmError("the module has no code");
    const named = Buffer.concat([Uint8Array.from(name(sectionName)), content]);
    this.#sections.splice(at, 0, { id: SECTION.custom, content: named });
  }

  toBytes(): Uint8Array {
    const changed = new Map([
      [SECTION.type, this.#types],
      [SECTION.function, this.#functions],
      [SECTION.global, this.#globals],
      [SECTION.export, this.#exports],
      [SECTION.code, this.#bodies],
    ]);
    for (const [id, items] of changed) {
      if (items.length > 0 && !this.#sections.some((section) => section.id === id)) {
        throw new WasmError(`the module has no section ${id} to add to`);
      }
    }
    const sections = this.#sections.flatMap(({ id, content }) => {
      const items = changed.get(id);
      return [Uint8Array.of(id), sized(items === undefined ? content : vector(items))];
    });
    return Buffer.concat([MAGIC_AND_VERSION, ...sections]);
  }

  /** The entries of a section that is a vector, each as its bytes. */
  #items(id: number, skip: (reader: WasmReader) => void): Uint8Array[] {
    const section = this.#sections.find((candidate) => candidate.id === id);
    if (section === undefined) return [];
    const reader = new WasmReader(section.content);
    return Array.from({ length: reader.u32() }, () => {
      const start = reader.at;
      skip(reader);
      return section.content.subarray(start, reader.at);
    });
  }
}

function skipFunctionType(reader: WasmReader): void {
  if (reader.byte() !== FUNCTION_TYPE) throw new WasmError("a type is not a function's");
  reader.bytes(reader.u32());
  reader.bytes(reader.u32());
}

function skipGlobal(reader: WasmReader): void {
  reader.byte();
  reader.byte();
  const opcode = reader.byte();
  if (opcode !== OP.i32Const) throw new WasmError("a global does not start as an i32.const");
  reader.skipNumber();
  if (reader.byte() !== OP.end) throw new WasmError("a global starts as more than a constant");
}

function skipImport(reader: WasmReader): void {
  reader.name();
  reader.name();
  const kind = reader.byte();
  if (kind === IMPORT.function) reader.u32();
  else if (kind === IMPORT.global) reader.bytes(2);
  else if (kind === IMPORT.table || kind === IMPORT.memory) skipLimits(reader, kind);
  else throw new WasmError(`an import of kind ${kind} is not known`);
}

function skipLimits(reader: WasmReader, kind: number): void {
  if (kind === IMPORT.table) reader.byte();
  const hasMaximum = (reader.byte() & 1) === 1;
  reader.u32();
  if (hasMaximum) reader.u32();
}

function importKind(entry: Uint8Array): number {
  const reader = new WasmReader(entry);
  reader.name();
  reader.name();
  return reader.byte();
}
