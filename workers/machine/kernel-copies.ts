import type { GuestMemory } from "./kernel-random.ts";

/**
 * How a guest's kernel copies to and from programs. Linux for 32-bit Intel processors, which v86 says it is, leaves
 * `rep movs` where source and target lie differently in their eight bytes, and moves words one by one: 40 instructions
 * for 64 bytes, where v86 copies a whole page for one. Most data of a network lies so. The kernel asks a mask
 * (`movsl_mask`, arch/x86/lib/usercopy_32.c) that it set at boot (arch/x86/kernel/cpu/intel.c); at zero, as on other
 * makers' processors, it always takes `rep movs`.
 */

/** A kernel's code and data lie in low memory, which it sees from here on (CONFIG_PAGE_OFFSET). */
const PAGE_OFFSET = 0xc000_0000;
const KERNEL_BYTES = 64 << 20;
const INTEL_MASK = 7;
/** `cmp $63, register`: shorter copies are not asked about. */
const COMPARISONS = [0, 1, 2, 3, 4, 5, 6, 7].map((register) =>
  Buffer.from([0x83, 0xf8 + register, 0x3f]),
);
/** The mask is asked for within so many bytes. */
const REACH = 24;
const AND = 0x23;
const TEST = 0x85;
/** ModRM of an address alone, whatever the register. */
const ADDRESS_ONLY = 0b00_000_101;
const ADDRESS_BITS = 0b11_000_111;
const JUMP_IF_NOT_ZERO = 0x75;

/** Have the guest's kernel always copy by `rep movs`. The machine must be stopped. False where it has no such mask. */
export function useStringCopies(guest: GuestMemory): boolean {
  const address = findMask(guest.memory);
  if (address === undefined) return false;
  guest.writeMemory(address, new Uint8Array(4));
  return true;
}

/** Where the mask lies: what code asks that looks as `__copy_user_ll` does, when all such code asks the same. */
export function findMask(memory: Uint8Array): number | undefined {
  const kernel = Buffer.from(
    memory.buffer,
    memory.byteOffset,
    Math.min(memory.length, KERNEL_BYTES),
  );
  const found = new Set<number>();
  for (const comparison of COMPARISONS) {
    let at = kernel.indexOf(comparison);
    for (; at >= 0; at = kernel.indexOf(comparison, at + 1)) {
      const end = Math.min(at + comparison.length + REACH, kernel.length - 7);
      for (let code = at + comparison.length; code < end; code++) {
        const address = addressAsked(kernel, code);
        if (address !== undefined) found.add(address);
      }
    }
  }
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** `and address, register` or `test register, address` with a jump behind it, for an address that holds the mask. */
function addressAsked(kernel: Buffer, at: number): number | undefined {
  const [operation, modRm = 0] = kernel.subarray(at, at + 2);
  if (operation !== AND && operation !== TEST) return undefined;
  if ((modRm & ADDRESS_BITS) !== ADDRESS_ONLY || kernel[at + 6] !== JUMP_IF_NOT_ZERO)
    return undefined;
  const address = kernel.readUInt32LE(at + 2) - PAGE_OFFSET;
  const isOfKernel = address >= 0 && address % 4 === 0 && address + 4 <= kernel.length;
  return isOfKernel && kernel.readUInt32LE(address) === INTEL_MASK ? address : undefined;
}
