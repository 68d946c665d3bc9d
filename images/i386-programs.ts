import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Put before a command, it has i386 programs run by QEMU: images/with-qemu.sh. */
export const WITH_QEMU = join(import.meta.dirname, "with-qemu.sh");

/** Lends a tree this computer's own programs, as hooks of mmdebstrap, and where the tree finds them. */
export const NATIVE_TOOLS = {
  script: join(import.meta.dirname, "native-tools.sh"),
  folder: "/run/mom-native",
};

/** What an i386 program of ours ends with: nothing else does. */
const STATUS = 86;

/**
 * Whether this computer's kernel runs i386 programs, as the guest's packages have them for their installation. Those
 * of some clouds do not, though the processor could. Found out by running one.
 */
export function runsI386Programs(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "mom-i386-"));
  try {
    const path = join(folder, "program");
    writeFileSync(path, program(), { mode: 0o755 });
    return spawnSync(path, { stdio: "ignore" }).status === STATUS;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The smallest: an ELF header, one segment, and `exit(STATUS)`. */
function program(): Buffer {
  const address = 0x08048000;
  const headers = 52 + 32;
  const code = Buffer.from([0xb8, 1, 0, 0, 0, 0xbb, STATUS, 0, 0, 0, 0xcd, 0x80]);
  const size = headers + code.length;
  const identity = Buffer.alloc(16);
  identity.write("\x7fELF\x01\x01\x01", "latin1");
  return Buffer.concat([
    identity,
    // Executable, for the 80386.
    halves(2, 3),
    words(1, address + headers, 52, 0, 0),
    halves(52, 32, 1, 0, 0, 0),
    // Loaded as it is, to read and execute.
    words(1, 0, address, address, size, size, 5, 0x1000),
    code,
  ]);
}

function halves(...values: number[]): Buffer {
  return Buffer.from(Uint16Array.from(values).buffer);
}

function words(...values: number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}
