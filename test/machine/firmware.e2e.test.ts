import { expect, test } from "vitest";
import { PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { bootFiles } from "../../workers/machine/image-files.ts";
import { FIRMWARE_PAGES, nonZeroPages } from "../../workers/machine/memory.ts";
import { testGuest } from "../support/guest.ts";
import { bareEmulator, publishedWasm } from "./support/bare-emulator.ts";

test("a v86 that is not to boot has nothing but firmware in its memory, in the first megabyte", async () => {
  const { image } = await testGuest();
  const { bios, vgaBios } = await bootFiles(image.dir);
  const v86 = await bareEmulator(publishedWasm(), {
    memory_size: 256 << 20,
    bios: { url: bios },
    vga_bios: { url: vgaBios },
  });
  try {
    const { numbers, contents } = nonZeroPages(v86.v86.cpu.mem8);
    expect(contents.length).toBeGreaterThan(128 << 10);
    expect(Math.max(...numbers)).toBeLessThan(FIRMWARE_PAGES);
    expect(v86.v86.cpu.mem8.length).toBe(65_536 * PAGE_BYTES);
  } finally {
    await v86.destroy();
  }
});
