import { describe, expect, test } from "vitest";
import { TurnFiles, type TurnSpecification } from "../../workers/machine/turn-files.ts";
import { NinePError } from "../../workers/ninep/errno.ts";
import { emptyAttributes, PendingRead } from "../../workers/ninep/filesystem.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

/** Turn files with one open turn, and what was heard of it. */
function world(changes: Partial<TurnSpecification> = {}) {
  const files = new TurnFiles();
  const heard = { out: "", err: "", ends: [] as number[], swept: 0 };
  const turn = files.openTurn(7, {
    script: "echo hé",
    files: {},
    hasInput: false,
    onOutput: (stream, chunk) => {
      heard[stream === "stdout" ? "out" : "err"] += Buffer.from(chunk).toString("latin1");
    },
    onEnd: (status) => heard.ends.push(status),
    onSwept: () => heard.swept++,
    ...changes,
  });
  const at = (path: string): number =>
    path.split("/").reduce((ino, name) => (ino === 0 ? 0 : files.lookup(ino, name)), files.root);
  const get = (path: string): string => {
    const into = new Uint8Array(1000);
    const count = files.read(at(path), 0, into);
    if (count instanceof PendingRead) throw new Error(`${path} waits`);
    return Buffer.from(into.subarray(0, count)).toString("utf8");
  };
  const put = (path: string, data: string) => files.write(at(path), 0, bytes(data));
  const list = (path: string): string[] => {
    const names: string[] = [];
    files.readdir(path === "" ? files.root : at(path), 0, (_ino, _mode, _next, name) => {
      names.push(name);
      return true;
    });
    return names;
  };
  return { files, turn, heard, at, get, put, list };
}

test("the script is read, and says that the turn has begun", () => {
  const { turn, get } = world();
  expect(turn.isBegun).toBe(false);
  expect(get("7.sh")).toBe("echo hé");
  expect(turn.isBegun).toBe(true);
});

test("the resident shell gets its turn where it waits, and says by a name how it ended", () => {
  const { files, turn, heard, at, get } = world();
  const waiting = files.read(at("bash"), 0, new Uint8Array(1_024));
  if (!(waiting instanceof PendingRead)) throw new Error("it does not wait");
  let said: unknown;
  waiting.onSettled((outcome) => {
    said = outcome instanceof NinePError ? outcome : Buffer.from(outcome).toString();
  });
  turn.start(bytes("words"));
  expect([said, turn.isBegun]).toEqual(["words", true]);
  // A program of the turn is not the shell.
  expect(get("bash")).toBe("");

  for (const other of ["end", "end.", "end.x", "end.1000", "end.0.", " end.0", "7/end.0"])
    at(other);
  expect(heard.ends).toEqual([]);
  expect([at("end.3"), heard.ends]).toEqual([0, [3]]);
  // Whoever asks for it again ends nothing.
  expect([at("end.4"), heard.ends]).toEqual([0, [3]]);
  expect(files.read(at("bash"), 0, new Uint8Array(1_024))).toBeInstanceOf(PendingRead);
});

test("a turn waits for a resident shell that is not there yet, and cannot end before", () => {
  const { turn, heard, at, get, put } = world();
  turn.start(bytes("words"));
  expect(at("end.1")).toBe(0);
  put("7.end", "143");
  expect([turn.isBegun, heard.ends]).toEqual([false, []]);
  expect(get("bash")).toBe("words");
  expect(turn.isBegun).toBe(true);
});

test("a new resident shell gets turns where the one before ended in the middle of one", () => {
  const { files, turn, at, get, put } = world();
  turn.start(bytes("words"));
  expect(get("bash")).toBe("words");
  expect(get("bash")).toBe("");
  put("ready", "123");
  expect(files.read(at("bash"), 0, new Uint8Array(1_024))).toBeInstanceOf(PendingRead);
});

test("the wires of the turn to come can be opened, and what is written to them goes nowhere yet", () => {
  const { files, heard, at, get, put } = world();
  files.upcoming = 9;
  expect(get("next")).toBe("9\n");
  expect(at("9.out")).not.toBe(0);
  expect(at("8.out")).toBe(0);
  put("9.out", "early");
  files.openTurn(9, {
    script: "",
    files: {},
    hasInput: false,
    onOutput: (_stream, chunk) => {
      heard.out += Buffer.from(chunk).toString();
    },
    onEnd: () => {},
  });
  put("9.out", "now");
  expect(heard.out).toBe("now");
});

test("both streams carry every byte, wherever it is said to belong", () => {
  const { files, heard, at } = world();
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  // A guest that truncates and seeks in its output does not change what was said.
  for (const offset of [0, 2 ** 40, 0]) {
    expect(files.write(at("7.out"), offset, all)).toBe(256);
  }
  files.write(at("7.err"), 0, all.subarray(128));
  expect(heard.out).toBe(Buffer.from(all).toString("latin1").repeat(3));
  expect(heard.err).toBe(Buffer.from(all.subarray(128)).toString("latin1"));
  expect(heard.ends).toEqual([]);
});

describe("the end", () => {
  test.each([
    ["0", 0],
    ["255", 255],
  ])("%j", (written, status) => {
    const { heard, put } = world();
    put("7.end", written);
    expect(heard.ends).toEqual([status]);
  });

  test.each(["", "x", "-1", "1000", "3 /", "3\n"])("is not %j", (written) => {
    const { heard, put } = world();
    put("7.end", written);
    expect(heard.ends).toEqual([]);
  });

  test("is not what a shell that runs no turn asks for", () => {
    const { heard, at } = world();
    expect([at("end.0"), heard.ends]).toEqual([0, []]);
  });

  test("of what runs apart leaves the resident shell's turn to itself", () => {
    const { files, turn, heard, at, get, put } = world();
    turn.start(bytes("words"));
    get("bash");
    files.openTurn(8, {
      script: "",
      files: {},
      hasInput: false,
      onOutput: () => {},
      onEnd: (status) => heard.ends.push(status + 1_000),
    });
    put("8.end", "1");
    expect([get("bash"), heard.ends]).toEqual(["", [1_001]]);
    at("end.2");
    expect(heard.ends).toEqual([1_001, 2]);
  });
});

test("a new resident shell gives its process id, one that is gone its status", () => {
  const { files, put } = world();
  const heard: unknown[] = [];
  files.onReady = (pid) => heard.push([pid]);
  files.onGone = (status) => heard.push(status);
  put("ready", "123");
  put("ready", "nonsense");
  put("gone", "137\n");
  expect(heard).toEqual([[123], 137]);
});

test("files that came with a turn lie in its folder, and go with it", () => {
  const { files, turn, get, list, at } = world({
    files: { "a b.txt": bytes("A"), "main.py": bytes("print(1)"), é: bytes("E") },
  });
  expect(list("7")).toEqual([".", "..", "a b.txt", "main.py", "\xc3\xa9"]);
  expect(get("7/\xc3\xa9")).toBe("E");
  expect(get("7/a b.txt")).toBe("A");
  const ino = at("7/main.py");
  turn.close();
  expect(at("7/main.py")).toBe(0);
  expect(files.read(ino, 0, new Uint8Array(10))).toBe(0);
});

test("names with `attach` add up, whatever their bytes, and are bounded", () => {
  const { files, turn, put, at } = world();
  put("7.attach", "/root/a\0");
  put("7.attach", "/root/b\nc\0/root/é\0");
  files.write(at("7.attach"), 0, Uint8Array.from([0x2f, 0xff, 0]));
  expect(turn.attached).toEqual(["/root/a", "/root/b\nc", "/root/é", "/\udcff"]);
  expect(() => put("7.attach", "x".repeat(70_000))).toThrow(NinePError);
});

test("standard input waits for what the host gives, and ends when the turn does", () => {
  const { files, turn, at, get } = world({ hasInput: true });
  const read = files.read(at("7.in"), 0, new Uint8Array(10));
  expect(read).toBeInstanceOf(PendingRead);
  let got = "";
  if (read instanceof PendingRead) {
    read.onSettled((outcome) => {
      got = outcome instanceof NinePError ? outcome.code : Buffer.from(outcome).toString();
    });
  }
  void turn.input(bytes("abc"));
  expect(got).toBe("abc");
  turn.closeInput();
  expect(files.read(at("7.in"), 3, new Uint8Array(10))).toBe(0);
  expect(world().get("7.in")).toBe("");
  expect(() => get("7.in")).toThrow(NinePError);
});

describe("a turn that is over", () => {
  test("is not there any more, and what its programs still write goes nowhere", () => {
    const { files, turn, heard, at, list } = world();
    const [out, end] = [at("7.out"), at("7.end")];
    turn.close();
    for (const name of ["7", "7.sh", "7.out", "7.end", "7.in"]) expect(at(name)).toBe(0);
    expect(list("")).toEqual([".", ".."]);
    expect(files.write(out, 0, bytes("late"))).toBe(4);
    expect(files.write(end, 0, bytes("0 /"))).toBe(3);
    expect(heard).toEqual({ out: "", err: "", ends: [], swept: 0 });
  });

  test("is not mixed up with the next", () => {
    const { files, turn, heard, at } = world();
    const out = at("7.out");
    turn.close();
    files.openTurn(8, {
      script: "",
      files: {},
      hasInput: false,
      onOutput: () => {
        throw new Error("of another turn");
      },
      onEnd: () => {
        throw new Error("of another turn");
      },
    });
    files.write(out, 0, bytes("late"));
    expect(heard.out).toBe("");
  });
});

test("other names are not there, and nothing can be made, moved or removed", () => {
  const { files, at } = world();
  for (const name of ["8.sh", "7.txt", "7.sh.sh", "07.sh ", "-1", "7e0", "", "999999999999.out"]) {
    expect(at(name)).toBe(0);
  }
  for (const change of [files.make, files.link, files.unlink, files.rename]) {
    expect(() => change.call(files)).toThrow(expect.objectContaining({ code: "EPERM" }));
  }
});

test("attributes tell folders from files, and the script's size", () => {
  const { files, at } = world();
  const attributes = emptyAttributes();
  files.getattr(at("7.sh"), attributes);
  expect(attributes).toMatchObject({ mode: 0o100644, size: bytes("echo hé").length });
  files.getattr(at("7"), attributes);
  expect(attributes.mode).toBe(0o040755);
  files.getattr(files.root, attributes);
  expect(attributes.mode).toBe(0o040755);
});
