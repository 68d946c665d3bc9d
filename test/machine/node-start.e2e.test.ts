import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, sharedMachine } from "./support/machine.ts";

/** `node` starts from a snapshot (images/guest/usr/local/bin/node); /usr/bin/node starts as Debian's does. */

let machine: Machine;
beforeAll(async () => {
  machine = await sharedMachine();
});

/** What a program may look at, but for what differs from run to run. */
const FACTS = `
const fs = require("fs");
const { performance } = require("perf_hooks");
console.log(process.argv.slice(1), process.execPath, process.execArgv, process.env.GIVEN, process.cwd());
console.log(require.main === module, __filename, module.paths.length, typeof globalThis.fetch);
console.log(process.title, process.version, process.umask(), process.exitCode, process.stdout.isTTY);
console.log(new Date(0).toString(), Intl.DateTimeFormat().resolvedOptions(), [3, 1, 2].sort(), 0.1 + 0.2);
console.log(Object.keys(globalThis), Object.keys(process).sort(), Error.stackTraceLimit);
console.log(performance.now() < 60_000, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1_000);
console.log(process.uptime() < 60, fs.readdirSync("/usr/lib/mom").length > 0, require("os").hostname());
console.log(require("zlib").gunzipSync(require("zlib").gzipSync("packed")).toString());
console.log(require("crypto").createHash("sha256").update("a").digest("hex"));
process.stdin.on("data", (data) => console.log("read", String(data)));
process.on("exit", (code) => console.log("exit", code));
process.on("SIGUSR2", () => { console.log("signal"); process.exitCode = 3; });
setTimeout(() => process.kill(process.pid, "SIGUSR2"), 10);
Promise.resolve().then(() => console.log("later"));
console.error(new Error("shown").stack);
`;

/** How this process was started. */
const HOW = "require('fs').readFileSync('/proc/self/cmdline', 'utf8').split('\\0').slice(1, -1)";

test("a program finds at a start from the snapshot what it finds at any other", async () => {
  const files = { "facts.js": bytes(FACTS) };
  await output(machine, "cp $MOM_TURN/facts.js /tmp; cd /tmp", { files });
  const started = (node: string) =>
    run(machine, `echo line | GIVEN=yes TZ=Asia/Tokyo ${node} facts.js --one 'two  three'`);
  const usual = await started("/usr/bin/node");
  const quick = await started("node");
  expect(quick).toEqual({ ...usual, durationMs: quick.durationMs });
  expect(usual).toMatchObject({ exitCode: 3, out: expect.stringContaining("read line\n") });
});

test("programs, expressions and input of all kinds start from it, each with random numbers of its own", async () => {
  const facts = `${HOW}[0], process.execArgv.length, Math.random(), require("crypto").randomUUID(), process.pid`;
  const asks = `console.log(JSON.stringify([${facts}]))`;
  const imports = `import { createRequire } from "module"; const require = createRequire("/");`;
  const files = { "m.mjs": bytes(imports + asks), "m.js": bytes(asks) };
  const kinds = 'node $MOM_TURN/m.mjs; node <$MOM_TURN/m.js; node -e "$(<$MOM_TURN/m.js)" a';
  const started = (await output(machine, kinds, { files })).trim().split("\n");
  const [program, input, expression] = started.map((line) => JSON.parse(line));
  expect(program.slice(0, 2)).toEqual(["--snapshot-blob", 0]);
  expect(input.slice(0, 2)).toEqual(["--snapshot-blob", 0]);
  expect(expression.slice(0, 2)).toEqual(["--snapshot-blob", 2]);
  const drawn = [program, input, expression].flatMap((facts) => facts.slice(2));
  expect(new Set(drawn).size).toBe(9);
});

test("what no snapshot can hold comes with V8's code for it, which V8 takes", async () => {
  const program = `node -e 'require("https"); fetch("data:,taken").then((r) => r.text()).then(console.log)'`;
  const { out, err } = await run(machine, `NODE_DEBUG_NATIVE=code_cache ${program}`);
  expect(out).toBe("taken\n");
  for (const name of ["https", "_tls_wrap", "net", "internal/deps/undici/undici"]) {
    expect(err).toMatch(new RegExp(`^Code cache of ${name} .* is accepted$`, "m"));
  }
  const without = err.match(/(?<=^Compiling )\S+(?= without code cache$)/gm);
  expect(without).toEqual(["internal/main/eval_string"]);
});

test("what it cannot serve starts without it: options of V8, and a package that is newer", async () => {
  expect(await output(machine, "node -p 'typeof gc' --expose-gc")).toBe("function\n");
  // What decides is the script in front. It is asked with an echo in Node.js' place, which takes seconds to start.
  const shown = `printf '#!/bin/sh\necho "$@"\n' >/tmp/shown; chmod +x /tmp/shown; mount --bind /tmp/shown /usr/bin/node`;
  const commands = [
    "node program.js -x",
    "node --expose-gc program.js",
    "node -e 1 --expose-gc",
    "NODE_OPTIONS=--max-old-space-size=100 node program.js",
    "touch /usr/lib/mom/node.package; node program.js",
  ];
  expect(await run(machine, [shown, ...commands, "umount /usr/bin/node"].join("\n"))).toMatchObject(
    {
      out: [
        "--snapshot-blob /usr/lib/mom/node.blob program.js -x",
        "--expose-gc program.js",
        "-e 1 --expose-gc",
        "program.js",
        "program.js",
        "",
      ].join("\n"),
      err: "",
    },
  );
});
