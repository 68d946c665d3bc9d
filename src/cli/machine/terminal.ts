import type { Machine } from "../../../workers/machine/machine.ts";

const CTRL_RIGHT_BRACKET = 0x1d;

export interface TerminalSides {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  /** `TERM` for the guest. */
  term: string;
  signal: AbortSignal;
}

/**
 * Join a person's terminal to one in the guest, until the shell there ends or the person leaves with Ctrl-].
 *
 * @returns the shell's exit status; 0 for a person who left.
 */
export async function attachTerminal(machine: Machine, sides: TerminalSides): Promise<number> {
  const { stdin, stdout, signal } = sides;
  const terminal = machine.openTerminal({
    columns: stdout.columns,
    rows: stdout.rows,
    term: sides.term,
    onOutput: (bytes) => stdout.write(bytes),
  });
  const left = Promise.withResolvers<number>();
  const leave = (): void => left.resolve(0);
  const onKeys = (bytes: Buffer): void => {
    const at = bytes.indexOf(CTRL_RIGHT_BRACKET);
    terminal.write(at === -1 ? bytes : bytes.subarray(0, at));
    if (at !== -1) leave();
  };
  const onResize = (): void => terminal.resize(stdout.columns, stdout.rows);

  stdin.setRawMode(true);
  stdin.on("data", onKeys);
  stdout.on("resize", onResize);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([terminal.ended, left.promise]);
  } finally {
    stdin.off("data", onKeys);
    stdin.setRawMode(false);
    stdout.off("resize", onResize);
    signal.removeEventListener("abort", leave);
    stdout.write("\r\n");
  }
}
