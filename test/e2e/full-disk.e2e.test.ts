import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { blockText } from "../worker/harness.ts";
import { ANSWER_WITHIN_MS, World } from "./support/world.ts";

const MIB = 1024 * 1024;

/** The data folder on a disk of its own, of so many bytes; `false` where that is not allowed. */
function mountSmallDisk(folder: string, bytes: number): boolean {
  try {
    const options = `size=${bytes}`;
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.for([
  ["a file", "sync"],
  ["memory that is not on the guest's disk yet", "cat big.bin > copy"],
])(
  "with the host's disk full of %s a turn is told so in one message, nothing is lost, and the next is served",
  async ([_what, command], context) => {
    let isMounted = false;
    const world = await World.start({
      workers: 1,
      prepare: (folder) => {
        isMounted = mountSmallDisk(folder, 6 * MIB);
      },
    });
    try {
      if (!isMounted) return context.skip("no right to mount a small disk here");
      const root = await world.say("echo before > state");
      expect(await world.answer(root)).toContain("✓ exit 0");
      await world.you.reply(root, `@mom ${command}; echo after > state; echo done`, {
        files: [{ name: "big.bin", bytes: randomBytes(6 * MIB) }],
      });
      // The result is shown while the sandbox is saved: the sentence comes behind it.
      await world.you.waitForReply(root, (m) => blockText(m).includes("⚠"), ANSWER_WITHIN_MS);
      const [, full, ...more] = await world.answers(root, 2);
      expect(full).toMatch(
        /^```\ndone\n```\n✓ exit 0 .*\n⚠ The disk of the computers is full .*\. The thread is back as it was before this command\.$/,
      );
      expect(more).toEqual([]);
      const other = await world.say("echo next");
      expect(await world.answer(other)).toContain("next");
      await world.reply(root, "cat state; ls");
      expect((await world.answers(root, 3))[2]).toMatch(/^```\nbefore\nout\nstate\n```\n✓ exit 0/);
    } finally {
      const folder = world.harness.config.machine.dataDir;
      if (isMounted) execFileSync("umount", ["--lazy", folder]);
      await world.close();
    }
  },
);
