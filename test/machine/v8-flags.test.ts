import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { machineExecArgv } from "../../workers/machine/v8-flags.ts";

test.each([
  ["22.18.0", []],
  ["23.1.0", []],
  ["24.0.0", ["--liftoff-only"]],
  ["26.3.1", ["--liftoff-only"]],
])("Node %s gets the options that measured best there", (version, options) => {
  expect(machineExecArgv(version)).toEqual(options);
});

test("the options of this Node are ones that it knows, and wasm works with them", () => {
  // In a process of its own: V8's flags are set for good.
  const module = fileURLToPath(new URL("../../workers/machine/v8-flags.ts", import.meta.url));
  const program = `
    const { compileEmulator } = await import(${JSON.stringify(module)});
    // (module (func (export "answer") (result i32) i32.const 42))
    const answer = Uint8Array.from([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,7,10,1,6,
      97,110,115,119,101,114,0,0,10,6,1,4,0,65,42,11]);
    const first = await compileEmulator(answer, process.versions.node);
    const later = await WebAssembly.compile(answer);
    for (const module of [first, later]) {
      const { exports } = await WebAssembly.instantiate(module);
      console.log(exports.answer());
    }`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...machineExecArgv(process.versions.node), "--input-type=module", "-e", program],
    { encoding: "utf8" },
  );
  expect({ stdout, stderr }).toEqual({ stdout: "42\n42\n", stderr: "" });
});
