import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  hasEmulatorCode,
  readEmulatorCode,
  writeEmulatorCode,
} from "../../workers/machine/emulator-code.ts";
import { emulatorWasm, preparedSha256 } from "../../workers/machine/emulator-wasm.ts";
import { machineExecArgv } from "../../workers/machine/v8-flags.ts";
import { withOneBitFlipped } from "../support/flipped-bit.ts";

describe("the file beside a base", () => {
  const code = Uint8Array.from({ length: 5_000 }, (_, index) => index * 7);
  let folder: string;
  let wasm: Uint8Array;
  let wasmSha256: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mom-code-"));
    ({ bytes: wasm, sha256: wasmSha256 } = await emulatorWasm());
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(() => writeEmulatorCode(folder, { wasm, wasmSha256, code }));

  async function onlyFile(): Promise<string> {
    const names = await readdir(folder);
    expect(names).toEqual([expect.stringContaining(process.versions.v8)]);
    return join(folder, names[0] ?? "");
  }

  test("gives back what was written, with what it is the code of", async () => {
    await onlyFile();
    const read = await readEmulatorCode(folder);
    expect(read?.wasmSha256).toBe(wasmSha256);
    expect(Buffer.from(read?.code ?? []).equals(code)).toBe(true);
    expect(Buffer.from(read?.wasm ?? []).equals(wasm)).toBe(true);
    expect(await hasEmulatorCode(folder)).toBe(true);
  });

  test("counts as none where it is of another emulator", async () => {
    await writeEmulatorCode(folder, { wasm, wasmSha256: "0".repeat(64), code });
    expect(await hasEmulatorCode(folder)).toBe(false);
  });

  test.each([
    ["one other bit", withOneBitFlipped],
    ["half of it", (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2)],
    ["nothing in it", () => new Uint8Array(0)],
  ])("counts as none with %s", async (_what, damage) => {
    const path = await onlyFile();
    await writeFile(path, damage(await readFile(path)));
    expect(await readEmulatorCode(folder)).toBeUndefined();
    expect(await hasEmulatorCode(folder)).toBe(false);
  });

  test("counts as none where there is none", async () => {
    await rm(await onlyFile());
    expect(await readEmulatorCode(folder)).toBeUndefined();
  });
});

describe("the emulator that Mom has prepared", () => {
  test.each(["22.23.3", "23.6.0", "24.21.0", "26.10.0"])(
    "has the hash that it is known by again, for Node.js %s",
    async (nodeVersion) => {
      const { sha256, isKnown } = await emulatorWasm(undefined, nodeVersion);
      expect(isKnown).toBe(true);
      expect(sha256).toBe(preparedSha256(nodeVersion));
    },
  );

  test("is used as it was kept, and made again where that is another or damaged", async () => {
    const { bytes, sha256 } = await emulatorWasm();
    expect((await emulatorWasm(bytes)).bytes).toBe(bytes);
    const otherNode = process.versions.node.startsWith("22.") ? "24.21.0" : "22.23.3";
    const others = (await emulatorWasm(undefined, otherNode)).bytes;
    const damaged = bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte));
    for (const kept of [others, damaged, new Uint8Array(0)]) {
      const made = await emulatorWasm(kept);
      expect(made.bytes).not.toBe(kept);
      expect(made.sha256).toBe(sha256);
    }
  });
});

test("code that one process compiled runs in another, which compiles nothing", () => {
  const module = (path: string): string =>
    JSON.stringify(fileURLToPath(new URL(`../../workers/machine/${path}`, import.meta.url)));
  const inProcess = (program: string): string => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...machineExecArgv(process.versions.node),
        ...["--input-type=module", "-e", `${imports}${program}`],
      ],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    return stdout.trim();
  };
  const imports = `
    import v8 from "node:v8";
    const { addHints, compileEmulator, emulatorCode } = await import(${module("v8-flags.ts")});
    const { WasmModule } = await import(${module("wasm/module.ts")});
    // (module (func (export "answer") (result i32) i32.const 42))
    const text = (value) => [value.length, ...Buffer.from(value)];
    const emulator = new WasmModule(Uint8Array.from([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,
      7,10,1,...text("answer"),0,0,10,6,1,4,0,65,42,11]));
    addHints(emulator, process.versions.node);
    const wasm = emulator.toBytes();
    const answer = async (module) => (await WebAssembly.instantiate(module)).exports.answer();`;
  const code = inProcess(`
    const module = await compileEmulator(wasm, process.versions.node);
    await answer(module);
    console.log(Buffer.from(emulatorCode(module, process.versions.node)).toString("base64"));`);
  const isOptimized = Number.parseInt(process.versions.node, 10) <= 24;
  expect(code.length > 0).toBe(isOptimized);

  const later = inProcess(`
    const code = Buffer.from("${code}", "base64");
    const { compile } = WebAssembly;
    let compiled = 0;
    WebAssembly.compile = (wasm) => { compiled++; return compile(wasm); };
    const module = await compileEmulator(wasm, process.versions.node, code);
    console.log(await answer(module), compiled, emulatorCode(module, process.versions.node).length);
    const stranger = Buffer.from(code).fill(0);
    console.log(await answer(await compileEmulator(wasm, process.versions.node, stranger)), compiled);`);
  // What is optimised is there before anything was called, and code of another V8 is none.
  const bytes = Buffer.from(code, "base64").length;
  expect(later).toBe(isOptimized ? `42 0 ${bytes}\n42 1` : "42 1 0\n42 2");
});
