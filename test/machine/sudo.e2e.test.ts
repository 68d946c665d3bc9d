import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, sharedMachine } from "./support/machine.ts";

/** Everybody is root, and what people paste begins with `sudo` (images/guest/usr/local/bin/sudo). */

let machine: Machine;
beforeAll(async () => {
  machine = await sharedMachine();
});

test("it runs the command as it stands, with its streams and its status", async () => {
  const command = `cd /tmp; echo in | sudo -E tee 'a  b' '$HOME'; sudo -nH -- cat 'a  b' '$HOME'; sudo sh -c 'echo err >&2; exit 7'`;
  expect(await run(machine, command)).toMatchObject({
    out: "in\nin\nin\n",
    err: "err\n",
    exitCode: 7,
  });
});

test.each([
  ["variables come before the command", "sudo A='1 2' B=3 sh -c 'echo $A,$B' C=4", "1 2,3\n"],
  ["what is exported stays", "export KEPT=yes; sudo --preserve-env=KEPT printenv KEPT", "yes\n"],
  [
    "another user",
    "sudo -u nobody id -un; sudo -Hu nobody id -un; sudo --user=nobody id -un",
    "nobody\nnobody\nnobody\n",
  ],
  [
    "a shell of root's",
    "cd /tmp; sudo -i echo 'a  b' '$HOME'; sudo -i pwd; sudo -s pwd",
    "a  b $HOME\n/root\n/tmp\n",
  ],
  [
    "a shell that reads its commands",
    "echo 'id -un; pwd' | sudo -iu mail; echo whoami | sudo su",
    "mail\n/var/mail\nroot\n",
  ],
  ["sudo in sudo", "sudo sudo -n true && echo done", "done\n"],
])("%s", async (_, command, said) => {
  expect(await output(machine, command)).toBe(said);
});

test.each([
  ["nothing to run", "sudo", "usage: sudo"],
  ["only variables", "sudo A=1", "usage: sudo"],
  ["a long option that it does not have", "sudo --edit x", "sudo: edit: not an option here"],
  ["an option that it does not have", "sudo -Z id", "sudo: Z: not an option here"],
  ["a user that is missing", "sudo -u", "sudo: -u needs a user"],
  ["a user that there is not", "sudo -u nosuch id", "nosuch"],
  ["a command that there is not", "sudo nosuch", "nosuch: not found"],
])("%s is told", async (_, command, message) => {
  const { out, err, exitCode } = await run(machine, command);
  expect({ out, err, exitCode }).toEqual({
    out: "",
    err: expect.stringContaining(message),
    exitCode: expect.toSatisfy((status: number) => status !== 0),
  });
});

test("the real one has its way once it is installed", async () => {
  const files = { real: bytes('#!/bin/sh\necho real "$@"\n') };
  const command = "install $MOM_TURN/real /usr/bin/sudo; sudo -u x y; rm /usr/bin/sudo";
  expect(await output(machine, command, { files })).toBe("real -u x y\n");
});
