import { randomBytes } from "node:crypto";
import type { Overlay } from "../ninep/overlay.ts";
import type { NinePServer } from "../ninep/server.ts";
import { MachineError, type SandboxState } from "./api.ts";
import type { AskedPings } from "./asked-pings.ts";
import { assemble, type Parts, type Tell } from "./assembly.ts";
import { writeBase } from "./base-file.ts";
import { memoryChecksum } from "./base-pages.ts";
import { placePages } from "./base-places.ts";
import { Certificates } from "./certificates.ts";
import type { Emulator } from "./emulator.ts";
import { writeEmulatorCode } from "./emulator-code.ts";
import { EnteredBase } from "./entered-base.ts";
import type { Guest, RunningTurn } from "./guest.ts";
import {
  attachedFiles,
  listGuestFiles,
  readGuestFile,
  sendWrittenData,
  writeGuestFile,
} from "./guest-files.ts";
import { countPrograms } from "./guest-programs.ts";
import { filesFolder } from "./image-files.ts";
import { useStringCopies } from "./kernel-copies.ts";
import { findRandomSource, KEY_BYTES, refreshKey, reseedByGuest } from "./kernel-random.ts";
import type { LayeredBlobs } from "./layered-blobs.ts";
import { nonZeroPages } from "./memory.ts";
import type { Call, Calls, ExecParameters, StartParameters } from "./messages.ts";
import type { Network } from "./network.ts";
import { type OpenBase, openBase } from "./open-base.ts";
import { filesLeft, outFiles } from "./out-files.ts";
import { OutputBatch } from "./output-batch.ts";
import { PreparedSandbox } from "./prepared-sandbox.ts";
import type { Refusals } from "./refusals.ts";
import type { GuestFile } from "./result.ts";
import { packBase, type Sandbox } from "./sandbox.ts";

const BOOT_DEADLINE_MS = 110_000;
const QUIESCE_DEADLINE_MS = 10_000;
/** The resident shell prepares the next turn within milliseconds, but for what a turn may have made of it. */
const SHELL_DEADLINE_MS = 2_000;
/** A base is written once and kept. */
const BASE_COMPRESSION_LEVEL = 12;

/** One machine, inside its process: composes emulator, file systems and guest, and answers the parent's calls. */
export class MachineHost {
  readonly #parameters: StartParameters;
  readonly #tell: Tell;
  readonly #emulator: Emulator;
  readonly #network: Network;
  readonly #refusals: Refusals;
  readonly #pings: AskedPings;
  readonly #guest: Guest;
  readonly #certificates: Certificates;
  readonly #overlay: Overlay;
  readonly #blobs: LayeredBlobs;
  readonly #rootServer: NinePServer;
  readonly #turnServer: NinePServer;
  readonly #diskFull: { isTold: boolean };
  /** Turns by the id of their call: input and a cancel may come before the turn has started. */
  readonly #turns = new Map<number, PromiseWithResolvers<RunningTurn>>();
  #base: EnteredBase | undefined;
  /** The base with the operator's certificates, since a new thread wanted them; `null` where it could not be made. */
  #prepared: PreparedSandbox | null | undefined;
  #outMarks: Record<string, string> = {};
  #idleTimer: NodeJS.Timeout | undefined;

  private constructor(parts: Parts) {
    this.#parameters = parts.parameters;
    this.#tell = parts.tell;
    this.#emulator = parts.emulator;
    this.#network = parts.network;
    this.#refusals = parts.refusals;
    this.#pings = parts.pings;
    this.#guest = parts.guest;
    this.#certificates = new Certificates(parts.guest, parts.parameters.certificates);
    this.#overlay = parts.overlay;
    this.#blobs = parts.blobs;
    this.#rootServer = parts.rootServer;
    this.#turnServer = parts.turnServer;
    this.#diskFull = parts.diskFull;
  }

  static async start(parameters: StartParameters, tell: Tell): Promise<MachineHost> {
    const { files, memoryBytes } = parameters;
    const base =
      files.base === null
        ? undefined
        : await openBase({ folder: files.base, image: files.image, memoryBytes });
    const host = new MachineHost(await assemble(parameters, tell));
    if (base === undefined) {
      await host.#run();
      await host.#guest.ready(BOOT_DEADLINE_MS);
    } else {
      await host.#enterBase(base);
    }
    return host;
  }

  get baseId(): string | null {
    return this.#base?.id ?? null;
  }

  /** Answer one call. @throws MachineError, for the parent. */
  async answer(call: Exclude<Call, { call: "start" }>): Promise<unknown> {
    switch (call.call) {
      case "exec":
        return this.#exec(call.id, call.in);
      case "input":
        return (await this.#turns.get(call.in.exec)?.promise)?.input(call.in.chunk);
      case "cancel":
        return (await this.#turns.get(call.in.exec)?.promise)?.cancel();
      case "readFile":
        return this.#awake(() => readGuestFile(this.#guest, call.in.path));
      case "writeFile":
        return this.#awake(() => writeGuestFile(this.#guest, call.in.path, call.in.data));
      case "listFiles":
        return this.#awake(() => listGuestFiles(this.#guest, call.in.directory));
      case "terminal": {
        const { columns, rows, term } = call.in;
        return this.#awake(async () => {
          this.#emulator.resizeTerminal(columns, rows);
          await this.#certificates.install();
          try {
            return { exitCode: await this.#guest.terminal(term) };
          } finally {
            this.#emulator.keys.drop();
          }
        });
      }
      case "keys":
        return this.#emulator.keys.send(call.in.bytes);
      case "resize":
        return this.#emulator.resizeTerminal(call.in.columns, call.in.rows);
      case "linger":
        return this.#linger();
      case "save":
        return this.#save();
      case "load":
        return this.#load(call.in);
      case "saveBase":
        return this.#saveBase(call.in.folder, call.in.id);
      case "saveCode":
        return writeEmulatorCode(call.in.folder, await this.#emulator.code());
      case "publish":
        return this.#network.publish(call.in);
      case "pinged":
        return this.#pings.answer(call.in.id, call.in.outcome);
      case "publishSocket":
        return this.#network.publishSocket(call.in);
      case "networkStats":
        return this.#network.stats;
      case "ping":
        return undefined;
    }
  }

  async #exec(id: number, parameters: ExecParameters): Promise<Calls["exec"]["out"]> {
    const started = Promise.withResolvers<RunningTurn>();
    this.#turns.set(id, started);
    try {
      return await this.#awake(async () => {
        await this.#certificates.install((trouble) => this.#complain(id, trouble));
        this.#network.startTurn();
        const output = new OutputBatch((chunk) =>
          this.#tell({ event: "output", exec: id, ...chunk }),
        );
        const turn = this.#guest.run({
          ...parameters,
          onOutput: (stream, chunk) => output.add(stream, chunk),
        });
        started.resolve(turn);
        const { attached, ...report } = await turn.result.catch((error) => {
          output.flush();
          throw error;
        });
        const files = await this.#takeFiles(attached);
        if (!this.#diskFull.isTold) {
          output.flush();
          this.#tellDiskFull(id);
        }
        return { ...report, files, lastOutput: output.take() };
      });
    } finally {
      this.#turns.delete(id);
      const refusals = this.#refusals.take();
      if (refusals.length > 0) this.#tell({ event: "refused", refusals });
    }
  }

  /** The programs of the turn may have ended well before what they wrote found no room. */
  #tellDiskFull(id: number): void {
    this.#diskFull.isTold = true;
    this.#complain(id, "No space left on the disk: what was written last is not kept.");
  }

  #complain(id: number, sentence: string): void {
    const chunk = Buffer.from(`mom: ${sentence}\n`);
    this.#tell({ event: "output", exec: id, stream: "stderr", chunk });
  }

  /** What the turn left. Its result stands even where the guest cannot say (no process left to look with). */
  async #takeFiles(attached: string[]): Promise<GuestFile[]> {
    try {
      if (outFiles(this.#overlay).length > 0) await sendWrittenData(this.#guest);
      const { left, marks } = filesLeft(outFiles(this.#overlay), this.#outMarks);
      this.#outMarks = marks;
      return [...left, ...(await attachedFiles(this.#guest, attached, left))];
    } catch (error) {
      if (error instanceof MachineError && error.code !== "GUEST_DIED") return [];
      throw error;
    }
  }

  /** Run the emulator for the time of `work`, and stop it some time after the last. */
  async #awake<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#idleTimer);
    await this.#run();
    try {
      return await work();
    } finally {
      clearTimeout(this.#idleTimer);
      this.#idleTimer = setTimeout(() => this.#rest(), this.#parameters.idleAfterMs);
      this.#idleTimer.unref();
    }
  }

  async #linger(): Promise<{ programs: number }> {
    const programs = await this.#awake(() => countPrograms(this.#guest));
    if (programs === 0) await this.#rest();
    return { programs };
  }

  async #enterBase(opened: OpenBase): Promise<void> {
    const base = new EnteredBase(opened, this.#blobs);
    const { memory, sandbox } = base;
    this.#base = base;
    await this.#enter(sandbox, {
      load: (ram) => memory.fill(ram),
      check: () => opened.requireWhole(this.#emulator.memory),
    });
    // What was read has the screen's memory, which each switch back to the base would copy.
    sandbox.devices = await this.#emulator.saveDevices();
  }

  async #save(): Promise<SandboxState> {
    const base = this.#base;
    if (base === undefined) {
      throw new MachineError("BAD_STATE", "a machine that was booted has no base to save against");
    }
    await this.#quiesce();
    const sandbox = await this.#capture(base.id);
    sandbox.pages = base.memory.save(this.#emulator.memory, this.#emulator.takeWrittenPages());
    return base.pack(sandbox);
  }

  async #load(state: SandboxState | null): Promise<void> {
    const base = this.#base;
    if (base === undefined) {
      throw new MachineError("BAD_STATE", "a machine that was booted has no base to load over");
    }
    if (state === null) await this.#enterNew(base);
    else await this.#enterSaved(base, state);
    if (!base.random) await this.#awake(() => reseedByGuest(this.#guest));
  }

  async #enterSaved(base: EnteredBase, state: SandboxState): Promise<void> {
    await this.#enter(base.unpack(state, this.#parameters.memoryBytes));
  }

  /** What takes the guest a second is done for the first new thread, and all begin behind it. */
  async #enterNew(base: EnteredBase): Promise<void> {
    if (this.#prepared === undefined && this.#certificates.areGiven) {
      this.#prepared = await this.#prepare(base);
    }
    if (this.#prepared?.keepIn(this.#blobs)) await this.#enterSaved(base, this.#prepared.state);
    else await this.#enterUnchanged(base);
  }

  async #enterUnchanged(base: EnteredBase): Promise<void> {
    base.forget();
    await this.#enter(base.sandbox);
  }

  async #prepare(base: EnteredBase): Promise<PreparedSandbox | null> {
    await this.#enterUnchanged(base);
    try {
      await this.#awake(() => this.#certificates.install());
      if (!this.#certificates.areInstalled) return null;
      return new PreparedSandbox(await this.#save(), this.#blobs);
    } catch (error) {
      if (error instanceof MachineError && error.code === "GUEST_DIED") throw error;
      // A thread's first command tries it once more, and says why not.
      return null;
    }
  }

  async #saveBase(folder: string, id: string): Promise<{ bytes: number }> {
    const random = await this.#awake(() => findRandomSource(this.#guest, this.#emulator));
    await this.#quiesce();
    useStringCopies(this.#emulator);
    const sandbox = await this.#capture("");
    sandbox.guest.isNew = true;
    sandbox.pages = nonZeroPages(this.#emulator.memory);
    const { places, own } = placePages(filesFolder(this.#parameters.files.image), sandbox.pages);
    const state = packBase(sandbox, places, BASE_COMPRESSION_LEVEL);
    const hashes = sandbox.overlay?.blobs ?? [];
    const known = {
      id,
      memoryBytes: sandbox.memoryBytes,
      memoryCrc32: memoryChecksum(this.#emulator.memory, sandbox.pages.numbers),
      ...(random ? { random } : {}),
    };
    await writeBase(folder, { state, pages: own }, known, { from: this.#blobs, hashes });
    return { bytes: state.length + own.length };
  }

  /** Stop the emulator at a moment when nothing is under way between guest and host. */
  async #quiesce(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const startedMs = performance.now();
    for (;;) {
      await this.#rest();
      const waitedMs = performance.now() - startedMs;
      // A shell that has yet to prepare for its next turn would do it when somebody waits for that.
      const isShellReady = this.#guest.isWaiting || waitedMs > SHELL_DEADLINE_MS;
      const pending = this.#rootServer.pendingCount + this.#turnServer.pendingCount - this.#kept;
      if (pending === 0 && this.#emulator.isSerialDrained && isShellReady) return;
      if (waitedMs > QUIESCE_DEADLINE_MS) {
        throw new MachineError("BAD_STATE", "the guest did not come to rest to be saved");
      }
      await this.#run();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Reads that may wait while the machine is saved: the resident shell's, for its next turn. */
  get #kept(): number {
    return this.#guest.isWaiting ? 1 : 0;
  }

  async #run(): Promise<void> {
    this.#network.resume();
    await this.#emulator.run();
  }

  async #rest(): Promise<void> {
    await this.#emulator.stop();
    // Somebody may have wanted it to run meanwhile.
    if (!this.#emulator.isRunning) this.#network.pause();
  }

  async #capture(base: string): Promise<Sandbox> {
    return {
      base,
      memoryBytes: this.#parameters.memoryBytes,
      pages: { numbers: new Uint32Array(0), contents: new Uint8Array(0) },
      devices: await this.#emulator.saveDevices(),
      rootServer: this.#rootServer.save(),
      turnServer: this.#turnServer.save(this.#kept),
      overlay: this.#overlay.save(),
      guest: this.#guest.save(),
      certificates: this.#certificates.installed,
      flows: this.#network.save(),
      outMarks: this.#outMarks,
    };
  }

  /** @param first for a machine that has nothing in it yet: how its memory is filled, and looked at then. */
  async #enter(
    sandbox: Sandbox,
    first?: { load(memory: Uint8Array): Iterable<number>; check(): Promise<void> },
  ): Promise<void> {
    const base = this.#base;
    if (base === undefined) throw new MachineError("BAD_STATE", "the machine has no base");
    clearTimeout(this.#idleTimer);
    await this.#rest();
    await this.#emulator.restore(
      sandbox.devices,
      (memory, written) => first?.load(memory) ?? base.memory.load(memory, written, sandbox.pages),
    );
    await first?.check();
    if (base.random) refreshKey(this.#emulator, base.random, randomBytes(KEY_BYTES));
    this.#overlay.load(sandbox.overlay);
    this.#rootServer.load(sandbox.rootServer);
    this.#turnServer.load(sandbox.turnServer);
    this.#guest.load(sandbox.guest);
    this.#emulator.askTurnsAgain();
    this.#certificates.installed = sandbox.certificates;
    this.#network.enter(sandbox.flows);
    this.#outMarks = sandbox.outMarks;
    this.#diskFull.isTold = true;
  }
}
