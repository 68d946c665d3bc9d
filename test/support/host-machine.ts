import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import {
  type ExecOptions,
  type MachineApi,
  MachineError,
  type SandboxState,
} from "../../workers/machine/api.ts";
import type { ExecResult, GuestFile } from "../../workers/machine/result.ts";

const run = promisify(execFile);

/**
 * A machine without an emulator: real bash processes in a folder of this host, which is the sandbox. Directory,
 * variables and files stay from command to command, and are what is saved. It keeps nothing out: for tests of
 * what surrounds a machine, with commands that are known to be harmless.
 *
 * Commands of its own: `attach FILE...`, `panic` (the guest is dead), `vanish` (the machine's process is gone).
 */
export class HostMachine implements MachineApi {
  readonly #root: string;
  #running: ChildProcess | undefined;
  #published: Server[] = [];
  readonly #joined = new Set<Socket>();
  #death: MachineError | undefined;

  private constructor(root: string) {
    this.#root = root;
  }

  static async start(): Promise<HostMachine> {
    const machine = new HostMachine(await mkdtemp(join(tmpdir(), "mom-host-machine-")));
    await machine.reset();
    return machine;
  }

  get isDead(): boolean {
    return this.#death !== undefined;
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    this.#requireLife();
    const startedAt = performance.now();
    const before = await this.#outFiles();
    await this.#writeTurn(command, options.files ?? {});
    const shell = this.#spawnShell();
    this.#running = shell;
    const output = collect(shell, options);
    const ended = await this.#waitForEnd(shell, options, output);
    this.#running = undefined;
    await this.#noticeDeath();
    this.#requireLife();
    const [exitCode, signal] = ended;
    const cause = output.cause();
    return {
      command,
      exitCode: cause === undefined ? exitCode : null,
      signal: cause === undefined ? signal : "SIGKILL",
      stdout: output.stdout(),
      stderr: output.stderr(),
      durationMs: performance.now() - startedAt,
      failed: exitCode !== 0 || cause !== undefined,
      timedOut: cause === "time",
      isCanceled: cause === "signal",
      isMaxBuffer: cause === "size",
      files: await this.#leftFiles(before),
    };
  }

  async readFile(path: string): Promise<Uint8Array> {
    this.#requireLife();
    return readFile(isAbsolute(path) ? path : join(this.#home, path));
  }

  async writeFile(path: string, data: Uint8Array): Promise<void> {
    this.#requireLife();
    await writeFile(isAbsolute(path) ? path : join(await this.#directory(), path), data);
  }

  async listFiles(directory: string): Promise<GuestFile[]> {
    this.#requireLife();
    return listFiles(isAbsolute(directory) ? directory : join(this.#home, directory));
  }

  /** They stand still no more than the host does; only `stop` ends them. */
  async linger(): Promise<number> {
    this.#requireLife();
    return (await this.#programs()).length;
  }

  /** Programs of this machine have its folder in their environment. */
  async #programs(): Promise<number[]> {
    const programs: number[] = [];
    for (const pid of await readdir("/proc")) {
      const environment = await readFile(join("/proc", pid, "environ"), "utf8").catch(() => "");
      if (environment.split("\0").includes(`ROOT=${this.#root}`)) programs.push(Number(pid));
    }
    return programs;
  }

  /** Leads to a port of this host, until another sandbox is in the machine. */
  async publishSocket(guestPort: number): Promise<string> {
    this.#requireLife();
    const path = join(tmpdir(), `mom-${randomBytes(8).toString("hex")}`);
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const there = connect({ port: guestPort, host: "127.0.0.1", allowHalfOpen: true });
      this.#joined.add(socket);
      socket.pipe(there).pipe(socket);
      socket.on("error", () => there.destroy());
      socket.on("close", () => {
        this.#joined.delete(socket);
        there.destroy();
      });
      there.on("error", () => socket.destroy());
    }).listen(path);
    await once(server, "listening");
    this.#published.push(server);
    return path;
  }

  async reset(): Promise<void> {
    this.#requireLife();
    this.#unpublish();
    await rm(this.#root, { recursive: true, force: true });
    await mkdir(this.#home, { recursive: true });
    const bin = join(this.#root, "bin");
    await mkdir(bin);
    for (const [name, script] of Object.entries(COMMANDS)) {
      await writeFile(join(bin, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
    }
  }

  async save(): Promise<SandboxState> {
    this.#requireLife();
    const options = { encoding: "buffer" as const, maxBuffer: 1 << 28 };
    const { stdout } = await run("tar", ["-C", this.#root, "-c", "."], options).catch((error) => {
      // A program in the background wrote meanwhile, as programs of a machine that is not stopped do.
      if (error.code === 1) return error as { stdout: Buffer };
      throw error;
    });
    return { base: "host", data: stdout, blobs: [] };
  }

  async load(state: SandboxState): Promise<void> {
    this.#requireLife();
    if (state.base !== "host") throw new MachineError("BAD_STATE", `of base ${state.base}`);
    this.#unpublish();
    await rm(this.#root, { recursive: true, force: true });
    await mkdir(this.#root);
    const tar = spawn("tar", ["-C", this.#root, "-x"], { stdio: ["pipe", "ignore", "inherit"] });
    tar.stdin.end(state.data);
    await once(tar, "exit");
  }

  async stop(): Promise<void> {
    this.die(new MachineError("MACHINE_DIED", "it was stopped"));
    for (const pid of await this.#programs()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended in between.
      }
    }
    await rm(this.#root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** End as a crash does: a running command fails, and so does every call from now on. */
  die(error: MachineError): void {
    this.#death ??= error;
    killGroup(this.#running, "SIGKILL");
    this.#unpublish();
  }

  #unpublish(): void {
    for (const server of this.#published.splice(0)) server.close();
    for (const socket of this.#joined) socket.destroy();
  }

  get #home(): string {
    return join(this.#root, "home");
  }

  async #directory(): Promise<string> {
    return join(this.#root, await readFile(join(this.#root, "cwd"), "utf8").catch(() => "home"));
  }

  async #writeTurn(command: string, files: Record<string, Uint8Array>): Promise<void> {
    const folder = join(this.#root, "turn");
    await rm(folder, { recursive: true, force: true });
    await rm(join(this.#root, "attached"), { force: true });
    await mkdir(folder);
    await writeFile(join(folder, ".command"), command);
    for (const [name, data] of Object.entries(files)) await writeFile(join(folder, name), data);
  }

  #spawnShell(): ChildProcess {
    return spawn("bash", ["-c", SHELL], {
      cwd: this.#home,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: `${join(this.#root, "bin")}:${process.env.PATH}`,
        HOME: this.#home,
        ROOT: this.#root,
        MOM_TURN: join(this.#root, "turn"),
      },
    });
  }

  async #waitForEnd(
    shell: ChildProcess,
    options: ExecOptions,
    output: Output,
  ): Promise<[number | null, NodeJS.Signals | null]> {
    const onAbort = () => output.end("signal");
    if (options.signal?.aborted) onAbort();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const timer = options.timeoutMs && setTimeout(() => output.end("time"), options.timeoutMs);
    // `exit`, not `close`: a background job may hold the pipes for long.
    const [code, signal] = await once(shell, "exit");
    await output.drained();
    if (timer) clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    return [code, signal];
  }

  async #noticeDeath(): Promise<void> {
    const word = await readFile(join(this.#root, "dead"), "utf8").catch(() => "");
    if (word === "panic") this.die(new MachineError("GUEST_DIED", "kernel panic"));
    if (word === "vanish") this.die(new MachineError("MACHINE_DIED", "its process was killed"));
  }

  #requireLife(): void {
    if (this.#death) throw this.#death;
  }

  #outFiles(): Promise<GuestFile[]> {
    return listFiles(join(this.#home, "out"));
  }

  async #leftFiles(before: GuestFile[]): Promise<GuestFile[]> {
    const known = new Set(before.map((file) => JSON.stringify(file)));
    const files = (await this.#outFiles()).filter((file) => !known.has(JSON.stringify(file)));
    const named = await readFile(join(this.#root, "attached"), "utf8").catch(() => "");
    for (const path of named.split("\n").filter(Boolean)) {
      files.push({ path, name: basename(path), size: (await stat(path)).size });
    }
    return files.map(({ path, name, size }) => ({ path, name, size }));
  }
}

/**
 * Variables and directory go through files, so that each command has a shell of its own that can die. The
 * directory is kept relative to the sandbox, which lies elsewhere on the next machine.
 */
const SHELL = `
. "$ROOT/variables" 2>/dev/null
cd "$ROOT/$(cat "$ROOT/cwd" 2>/dev/null || echo home)"
trap 'declare -p 2>/dev/null | grep -E "^declare -[-aAix]+ [a-z]" > "$ROOT/variables"; printf %s "\${PWD#"$ROOT/"}" > "$ROOT/cwd"' EXIT
. "$MOM_TURN/.command"`;

const COMMANDS = {
  attach: 'for file in "$@"; do realpath "$file" >> "$ROOT/attached"; done',
  panic: 'printf panic > "$ROOT/dead"; kill -9 0',
  vanish: 'printf vanish > "$ROOT/dead"; kill -9 0',
};

type Cause = "time" | "signal" | "size";

interface Output {
  stdout(): Uint8Array;
  stderr(): Uint8Array;
  cause(): Cause | undefined;
  end(cause: Cause): void;
  drained(): Promise<void>;
}

function collect(shell: ChildProcess, options: ExecOptions): Output {
  const kept: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  let room = options.maxOutputBytes ?? Number.POSITIVE_INFINITY;
  let cause: Cause | undefined;
  const end = (why: Cause) => {
    cause ??= why;
    killGroup(shell, "SIGKILL");
  };
  const take = (stream: "stdout" | "stderr", show?: (chunk: Uint8Array) => void) => {
    shell[stream]?.on("data", (chunk: Uint8Array) => {
      const fitting = chunk.subarray(0, room);
      room -= fitting.length;
      kept[stream].push(fitting);
      if (fitting.length > 0) show?.(fitting);
      if (fitting.length < chunk.length) end("size");
    });
  };
  take("stdout", options.onStdout);
  take("stderr", options.onStderr);
  return {
    stdout: () => Buffer.concat(kept.stdout),
    stderr: () => Buffer.concat(kept.stderr),
    cause: () => cause,
    end,
    async drained() {
      const ends = [shell.stdout, shell.stderr].map((stream) =>
        stream && !stream.readableEnded ? once(stream, "end") : undefined,
      );
      const late = new Promise((resolve) => setTimeout(resolve, 200));
      await Promise.race([Promise.all(ends), late]);
    },
  };
}

function killGroup(shell: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (shell?.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
  try {
    process.kill(-shell.pid, signal);
  } catch (error) {
    // It ended in between.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function listFiles(directory: string): Promise<(GuestFile & { mtimeMs: number })[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const files = [];
  for (const name of names.sort()) {
    const path = join(directory, name);
    const found = await stat(path);
    if (found.isFile()) files.push({ path, name, size: found.size, mtimeMs: found.mtimeMs });
  }
  return files;
}
