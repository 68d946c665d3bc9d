import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { runsI386Programs, WITH_QEMU } from "../../images/i386-programs.ts";
import { findProgram } from "../../src/cli/processes.ts";

const FIND_OUT = `import { runsI386Programs } from "${new URL("../../images/i386-programs.ts", import.meta.url)}";
console.log(runsI386Programs());`;

/** With QEMU in front: what the kernel says does not count then. */
function run(...command: string[]) {
  return spawnSync(WITH_QEMU, command, { encoding: "utf8" });
}

/** Of the namespace: the handlers, but for the kernel's own two files. */
const HANDLERS = "ls /proc/sys/fs/binfmt_misc | grep -vx -e register -e status";

test("whether the kernel runs i386 programs is what arch-test says", () => {
  const { status } = spawnSync("arch-test", ["-n", "i386"]);
  expect(runsI386Programs()).toBe(status === 0);
});

const cannot =
  process.getuid?.() !== 0
    ? "not root"
    : findProgram("qemu-i386-static", process.env) === undefined
      ? "qemu-user-static is not installed"
      : run("true").stderr.trim();

test.skipIf(cannot !== "")(`QEMU runs them for one command alone ${cannot}`, () => {
  const before = spawnSync("sh", ["-c", HANDLERS], { encoding: "utf8" }).stdout;
  const node = run(process.execPath, "--input-type=module-typescript", "--eval", FIND_OUT);
  expect(node.stdout).toBe("true\n");
  expect(run("sh", "-c", HANDLERS).stdout).toBe("i386\n");
  expect(spawnSync("sh", ["-c", HANDLERS], { encoding: "utf8" }).stdout).toBe(before);
});

test.skipIf(cannot !== "")(`files keep their users, and the status comes back ${cannot}`, () => {
  const script = 'f=$(mktemp); chown 65534:42 "$f"; stat -c %u:%g "$f"; rm "$f"; cat >&2; exit 7';
  const { status, stdout } = run("sh", "-c", script);
  expect({ status, stdout }).toEqual({ status: 7, stdout: "65534:42\n" });
});

test.skipIf(cannot !== "")(`what it leaves running ends with it ${cannot}`, () => {
  const mark = `mom-qemu-test-${process.pid}`;
  const during = run("bash", "-c", `(exec -a ${mark} sleep 20) & sleep 0.1; ps -eo args`);
  const after = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  expect(during.stdout).toContain(`\n${mark} 20\n`);
  expect(after).not.toContain(`\n${mark} 20\n`);
});
