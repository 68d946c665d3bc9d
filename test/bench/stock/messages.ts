/** The messages between the bench and the process of a stock machine, over Node's IPC channel. */

export interface StockFiles {
  /** Folder of the image: kernel, initramfs, BIOS and `files/`. */
  image: string;
  /** The image's `fs.json` without Mom's own init, so that the initramfs starts a plain shell. */
  fsJson: string;
  /** A saved state; `null`: boot from power-on. */
  state: string | null;
}

export interface StockStart {
  files: StockFiles;
  memoryBytes: number;
  cmdline: string;
  /** Compile v86.wasm and set V8 the way Mom's own machines do: for the bench `v8-flags` alone. */
  twoPhase: boolean;
  /** Which of v86's own networks is behind the card, as its `relay_url`; `null` for none. For the bench `net` alone. */
  network: string | null;
}

/** Times are taken in the machine's process, where a program written against v86 would take them. */
export interface StockCalls {
  /** From the constructor to a shell that answers. */
  start: { in: StockStart; out: { ms: number } };
  /**
   * Type a command at the shell and wait for its end. `text` is the last of what it wrote. With `staysAwake` the
   * machine goes on at its prompt, otherwise it is stopped until the next call.
   */
  run: {
    in: { command: string; timeoutMs: number; staysAwake: boolean };
    out: { ms: number; exitCode: number; text: string };
  };
  /** `save_state`, kept in memory under a name. */
  save: { in: { name: string }; out: { ms: number; bytes: number } };
  restore: { in: { name: string }; out: { ms: number } };
  /** A kept state's size compressed with zstd, at zstd's own default level. */
  compressedBytes: { in: { name: string }; out: number };
  /** `save_state`, written and synced to disk. */
  saveTo: { in: { path: string }; out: { ms: number; bytes: number } };
}

export type StockCallName = keyof StockCalls;

export type StockCall = {
  [Name in StockCallName]: { id: number; call: Name; in: StockCalls[Name]["in"] };
}[StockCallName];

export type StockAnswer = { answer: number; out: unknown } | { answer: number; error: string };
