import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { machineExecArgv } from "../../workers/machine/v8-flags.ts";

test.each([
  ["22.18.0", []],
  ["23.1.0", []],
  [
    "24.0.0",
    ["--liftoff-only", "--experimental-wasm-compilation-hints", "--heap-growing-percent=200"],
  ],
  ["26.3.1", ["--liftoff-only", "--heap-growing-percent=200"]],
])("Node %s gets the options that measured best there", (version, options) => {
  expect(machineExecArgv(version)).toEqual(options);
});

test("the emulator is compiled by TurboFan where this Node can do that, what comes later by Liftoff and at once", () => {
  // In a process of its own: V8's flags are set for good.
  const file = (name: string): string =>
    JSON.stringify(fileURLToPath(new URL(`../../workers/machine/${name}`, import.meta.url)));
  const program = `
    const { addHints, compileEmulator } = await import(${file("v8-flags.ts")});
    const { WasmModule } = await import(${file("wasm/module.ts")});
    // (module (func (export "answer") (result i32) i32.const 42) (func $instr_00 (export "rare") …))
    const text = (value) => [value.length, ...Buffer.from(value)];
    const source = Uint8Array.from([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,3,2,0,0,
      7,17,2,...text("answer"),0,0,...text("rare"),0,1,10,11,2,4,0,65,42,11,4,0,65,42,11,
      0,18,...text("name"),1,11,1,1,...text("instr_00")]);
    const emulator = new WasmModule(source);
    addHints(emulator, process.versions.node);
    const first = await compileEmulator(emulator.toBytes(), process.versions.node);
    // Another module for V8: with a custom section "x".
    const later = await WebAssembly.compile(Uint8Array.from([...source, 0, 2, ...text("x")]));
    const tier = (f) => %IsTurboFanFunction(f) ? "TurboFan" : %IsLiftoffFunction(f) ? "Liftoff" : "none";
    for (const module of [first, later]) {
      const { exports: { answer, rare } } = await WebAssembly.instantiate(module);
      const before = [answer, rare].map(tier).join(" ");
      console.log(before, "/", answer() + rare(), tier(answer), tier(rare));
    }`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...machineExecArgv(process.versions.node),
      ...["--allow-natives-syntax", "--input-type=module", "-e", program],
    ],
    { encoding: "utf8" },
  );
  const major = Number.parseInt(process.versions.node, 10);
  const emulator = major <= 24 ? "TurboFan" : "Liftoff";
  const [atOnce, later] = major < 24 ? [emulator, "Liftoff"] : ["none", "none"];
  expect({ stdout, stderr }).toEqual({
    stdout:
      `${atOnce} none / 84 ${emulator} ${emulator}\n` + `${later} ${later} / 84 Liftoff Liftoff\n`,
    stderr: "",
  });
});
