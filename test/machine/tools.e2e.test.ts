import { afterAll, beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { output, run, startMachine } from "./support/machine.ts";

/** What git and npm make of the guest's file system. */

let machine: Machine;
beforeAll(async () => {
  machine = await startMachine();
});
afterAll(() => machine.stop());

test("git makes a repository, clones it and finds nothing wrong with either", async () => {
  await output(
    machine,
    `cd; mkdir -p tree/sub; for i in {1..20}; do echo $i >tree/sub/$i; done; ln -s sub/1 tree/link
    head -c 200K /dev/urandom >tree/big; cd tree; git init -q; git config user.email a@b; git config user.name a
    git add .; git commit -qm one; git gc -q; echo 5 >>sub/9; git commit -qam two
    git clone -q . ../clone; cd ../clone; git fsck --strict`,
  );
  expect(
    await output(
      machine,
      "cd ~/clone; git log --format=%s; git status --short; diff -r -x .git . ../tree; echo $?",
    ),
  ).toBe("two\none\n0\n");
});

test("npm installs a local tarball, and the program in it runs", async () => {
  const made = `mkdir -p ~/pack ~/app; cd ~/pack
    echo '{"name":"greeter","version":"1.2.3","bin":{"greet":"greet.js"}}' >package.json
    printf '#!/usr/bin/env node\nconsole.log("hello from " + require("./package.json").version)\n' >greet.js
    mkdir package; cp package.json greet.js package; tar czf ../app/greeter.tgz package
    cd ~/app; echo '{"name":"app","version":"1.0.0"}' >package.json`;
  await output(machine, made);
  const install = "npm install --offline --no-audit --no-fund --loglevel=error ./greeter.tgz";
  const installed = await run(machine, install, { timeoutMs: 170_000 });
  expect(installed.err).toBe("");
  expect(installed.exitCode).toBe(0);
  expect(
    await output(machine, "node_modules/.bin/greet; ls -l node_modules/.bin/greet | cut -c1"),
  ).toBe("hello from 1.2.3\nl\n");
});
