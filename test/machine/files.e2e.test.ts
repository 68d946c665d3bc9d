import { createHash, randomBytes } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, sharedMachine, text } from "./support/machine.ts";

/** Files into the guest and out of it, and what a turn leaves for the thread. */

let machine: Machine;

beforeAll(async () => {
  machine = await sharedMachine();
});
beforeEach(() => machine.reset());

/** Names and sizes of what a command left. */
async function left(command: string): Promise<Record<string, number>> {
  const { files, err } = await run(machine, command);
  if (err !== "") throw new Error(err);
  return Object.fromEntries(files.map(({ name, size }) => [name, size]));
}

const oddNames = [
  "with space",
  "new\nline",
  "\n",
  'it\'s "quoted" $(id) `id` \\n',
  "-dash",
  "*",
  "é😀",
  ".hidden",
  "~",
  "a".repeat(200),
];

describe("what a turn leaves in ~/out is told", () => {
  test("in a folder that is there in a new thread", async () => {
    expect(await left("echo 1 >/tmp/result; cp /tmp/result ~/out")).toEqual({ result: 2 });
  });

  test("with path, name and size, also from folders, and once", async () => {
    const { files } = await run(
      machine,
      "mkdir -p ~/out/sub/deep ~/out/empty; printf abc >~/out/b; : >~/out/a; printf x >~/out/sub/deep/c",
    );
    expect(files).toEqual([
      { path: "/root/out/a", name: "a", size: 0 },
      { path: "/root/out/b", name: "b", size: 3 },
      { path: "/root/out/sub/deep/c", name: "sub/deep/c", size: 1 },
    ]);
    expect(await left("cat ~/out/b >/dev/null; ls -R ~/out >/dev/null")).toEqual({});
  });

  test("again when it was changed, moved or made anew, and not when it is gone", async () => {
    await run(machine, "mkdir -p ~/out/d; cd ~/out; for f in a b c e f d/g; do echo $f >$f; done");
    const changes = "echo more >>a; rm b; mv c c2; cp e f; mv d d2; chmod 600 e";
    expect(await left(changes)).toEqual({ a: 7, c2: 2, e: 2, f: 2, "d2/g": 4 });
    expect(await left("echo x >b")).toEqual({ b: 2 });
  });

  test("also after a failure, a time-out, and `exit`", async () => {
    expect(await left("echo 1 >~/out/failed; false")).toEqual({ failed: 2 });
    expect(await left("echo 1 >~/out/exited; exit 3")).toEqual({ exited: 2 });
    const late = await run(machine, "echo 1 >~/out/late; sleep 100", { timeoutMs: 1_500 });
    expect(late).toMatchObject({ timedOut: true, files: [{ name: "late", size: 2 }] });
  });

  test("with the next turn, where a background job left it", async () => {
    expect(await left("(sleep 0.5; echo 1 >~/out/bg) & true")).toEqual({});
    await run(machine, "wait");
    expect(await left("echo 2 >~/out/now")).toEqual({ now: 2 });
  });

  test("whatever its name, and the path reads the file", async () => {
    const script = oddNames
      .map((name, index) => `printf ${index} >~/out/'${name.replaceAll("'", "'\\''")}'`)
      .join("\n");
    const { files, err } = await run(machine, `${script}\nprintf raw >~/out/$'\\xff'`);
    expect(err).toBe("");
    expect(files).toHaveLength(oddNames.length + 1);
    for (const [index, name] of oddNames.entries()) {
      const file = files.find((file) => file.name === name);
      expect(file && text(await machine.readFile(file.path)), name).toBe(String(index));
    }
    const raw = files.find(({ name }) => !oddNames.includes(name));
    expect(raw?.name).toBe("\ufffd");
    expect(raw && text(await machine.readFile(raw.path))).toBe("raw");
  });

  test("unless it is no regular file, or what is called ~/out is no folder", async () => {
    expect(await left("cd ~/out; mkfifo p; ln -s /etc/passwd l; mknod d c 1 3; mkdir e")).toEqual(
      {},
    );
    expect(await left("cd; rm -r out; ln -s /etc out")).toEqual({});
    expect(await left("rm out; echo file >out")).toEqual({});
    expect(await left("rm out; mkdir out; echo 1 >out/back")).toEqual({ back: 2 });
  });
});

describe("attach", () => {
  test("names files anywhere, each told once, beside those of ~/out", async () => {
    const { files } = await run(
      machine,
      `cd /tmp; mkdir -p ~/out d; echo 1 >~/out/a; echo 22 >b; echo 333 >d/c; ln -s d/c link
      attach b d/c; attach link ~/out/a /tmp/../tmp/b; attach -- /etc/hostname`,
    );
    expect(files).toEqual([
      { path: "/root/out/a", name: "a", size: 2 },
      { path: "/tmp/b", name: "b", size: 3 },
      { path: "/tmp/d/c", name: "c", size: 4 },
      { path: "/etc/hostname", name: "hostname", size: 4 },
    ]);
    expect((await run(machine, "true")).files).toEqual([]);
  });

  test("takes odd names", async () => {
    const names = ["a b", "new\nline", "end\n", "-n", "é'\"$x"];
    for (const name of names) await machine.writeFile(`/tmp/${name}`, bytes(name));
    const quoted = names.map((name) => `'${name.replaceAll("'", "'\\''")}'`).join(" ");
    const { files } = await run(
      machine,
      `cd /tmp; printf raw >$'\\xff'; attach -- ${quoted} $'\\xff'`,
    );
    expect(files.map(({ name }) => name)).toEqual([...names, "\ufffd"]);
    for (const { path, name } of files) {
      expect(text(await machine.readFile(path))).toBe(name === "\ufffd" ? "raw" : name);
    }
  });

  test("says what it cannot attach, and attaches the rest", async () => {
    const outcome = await run(machine, "cd /etc; attach nope hostname /tmp; echo $?");
    expect(outcome).toMatchObject({
      out: "1\n",
      err: "attach: nope: not a regular file\nattach: /tmp: not a regular file\n",
      files: [{ path: "/etc/hostname" }],
    });
    const gone = await run(machine, "echo 1 >/tmp/x; attach /tmp/x; rm /tmp/x");
    expect(gone).toMatchObject({ exitCode: 0, files: [] });
  });

  test("explains itself", async () => {
    expect(await run(machine, "attach")).toMatchObject({ exitCode: 2, out: "", err: /usage/ });
    expect(await run(machine, "attach --help")).toMatchObject({
      exitCode: 0,
      out: /usage/,
      err: "",
    });
  });

  test("is not fooled by what is written past it", async () => {
    const { files, exitCode } = await run(
      machine,
      "printf 'relative\\0/nope\\0\\0/etc\\0/etc/hostname' >$MOM_TURN.attach; exit 3",
    );
    expect(exitCode).toBe(3);
    expect(files.map(({ path }) => path)).toEqual(["/etc/hostname"]);
  });
});

describe("writeFile and readFile", () => {
  test("are the first that a sandbox hears that has slept", async () => {
    await run(machine, "echo before >x");
    const state = await machine.save();
    // Longer than the control agent's own patience.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    for (let round = 0; round < 5; round++) {
      await machine.load(state);
      await machine.writeFile("x", bytes(`after ${round}`));
      expect(text(await machine.readFile("x"))).toBe(`after ${round}`);
    }
  });

  test("carry 8 MB of random bytes, and none at all", async () => {
    const data = randomBytes(8 << 20);
    await machine.writeFile("/tmp/big", data);
    const hash = createHash("sha256").update(data).digest("hex");
    expect(await output(machine, "sha256sum </tmp/big")).toBe(`${hash}  -\n`);
    expect(Buffer.from(await machine.readFile("/tmp/big")).equals(data)).toBe(true);
    await machine.writeFile("/tmp/big", new Uint8Array(0));
    expect(await machine.readFile("/tmp/big")).toHaveLength(0);
  });

  test("see what commands wrote, and are seen by them, at once", async () => {
    await run(machine, "echo one >/tmp/f; cat /tmp/f >/dev/null");
    expect(text(await machine.readFile("/tmp/f"))).toBe("one\n");
    await machine.writeFile("/tmp/f", bytes("two\n"));
    expect(
      await output(machine, "cat /tmp/f; ls -l /tmp/f | cut -d' ' -f5; echo three >>/tmp/f"),
    ).toBe("two\n4\n");
    expect(text(await machine.readFile("/tmp/f"))).toBe("two\nthree\n");
  });

  test("write below the shell's directory, read below the home directory", async () => {
    await run(machine, "mkdir '/tmp/a b'; cd '/tmp/a b'");
    await machine.writeFile("rel", bytes("rel"));
    expect(await output(machine, "cat rel; cd")).toBe("rel");
    await machine.writeFile("rel", bytes("home"));
    expect(text(await machine.readFile("rel"))).toBe("home");
  });

  test("follow the shell into folders of any name", async () => {
    for (const name of ["new\\nline\\n", "\\xff\\xfe", "q\\x27\\x22"]) {
      await run(machine, `cd /tmp; mkdir $'${name}'; cd $'${name}'`);
      await machine.writeFile("rel", bytes(name));
      expect(await output(machine, "cat rel")).toBe(name);
    }
  });

  test("take names as they are", async () => {
    await run(machine, "cd /tmp");
    for (const name of oddNames) {
      await machine.writeFile(name, bytes(name));
      expect(text(await machine.readFile(`/tmp/${name}`))).toBe(name);
    }
    expect((await machine.listFiles("/tmp")).map(({ name }) => name)).toEqual([...oddNames].sort());
  });

  test("reach what is mounted", async () => {
    await machine.writeFile("/dev/shm/x", bytes("in memory"));
    expect(text(await machine.readFile("/dev/shm/x"))).toBe("in memory");
    expect(text(await machine.readFile("/proc/version"))).toMatch(/^Linux version/);
    await machine.writeFile("/proc/sys/kernel/hostname", bytes("other"));
    expect(await output(machine, "hostname")).toBe("other\n");
  });

  test.each([
    ["read what is not there", "readFile", "/nope", "NO_SUCH_FILE"],
    ["read a folder", "readFile", "/tmp", "FILE_FAILED"],
    ["read nothing", "readFile", "", "FILE_FAILED"],
    ["write into a folder that is not there", "writeFile", "/nope/x", "NO_SUCH_FILE"],
    ["write a folder", "writeFile", "/tmp", "FILE_FAILED"],
    ["make what cannot be made", "writeFile", "/sys/nope", "FILE_FAILED"],
    ["write what cannot be written", "writeFile", "/proc/version", "FILE_FAILED"],
    ["write a name with a NUL", "writeFile", "/tmp/a\0b", "FILE_FAILED"],
    ["write a name that is too long", "writeFile", `/tmp/${"a".repeat(300)}`, "FILE_FAILED"],
  ] as const)("fail with a code and the path: %s", async (_name, call, path, code) => {
    const failing =
      call === "readFile" ? machine.readFile(path) : machine.writeFile(path, bytes("x"));
    const says = path.includes("\0") ? "a\\u0000b" : path;
    await expect(failing).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

describe("listFiles", () => {
  test("lists regular files below a directory, sorted, by absolute path", async () => {
    await run(
      machine,
      "mkdir -p ~/d/e; cd ~/d; echo 1 >b; echo 22 >e/c; ln -s b l; mkfifo p; : >a",
    );
    const expected = [
      { path: "/root/d/a", name: "a", size: 0 },
      { path: "/root/d/b", name: "b", size: 2 },
      { path: "/root/d/e/c", name: "e/c", size: 3 },
    ];
    for (const path of ["/root/d", "/root/d/", "d", "./d/../d"]) {
      expect(await machine.listFiles(path)).toEqual(expected);
    }
  });

  test("has nothing for what is not there, and one for a file", async () => {
    expect(await machine.listFiles("/nope")).toEqual([]);
    expect(await machine.listFiles("-delete")).toEqual([]);
    expect(await machine.listFiles("/etc/hostname")).toEqual([
      { path: "/etc/hostname", name: "hostname", size: 4 },
    ]);
  });
});
