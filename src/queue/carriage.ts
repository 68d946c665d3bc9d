/**
 * How the proxy gets into a thread's computer: it connects to the worker that has the thread in its machine and
 * sends one line; the worker answers with one byte, and after `joined` carries bytes to and from the port.
 */
export interface CarrierAddress {
  host: string;
  port: number;
  /** Made anew at each start of a worker; keeps out whoever else can connect to it. */
  secret: string;
}

export interface CarriageRequest {
  secret: string;
  threadKey: string;
  port: number;
}

/** The worker's answers: one byte each. */
export const CARRIAGE = {
  joined: "j",
  /** The thread's programs do not run here, now. */
  asleep: "a",
  /** They do not run because there are none. */
  nothingRuns: "n",
  /** The network of this worker's machine lets nothing in. */
  noWayIn: "x",
} as const;
export type CarriageAnswer = keyof typeof CARRIAGE;

export const LONGEST_CARRIAGE_LINE = 512;

export function carriageLine({ secret, threadKey, port }: CarriageRequest): string {
  return `${secret} ${threadKey} ${port}\n`;
}

/** Of a line without its end. */
export function parseCarriageLine(line: string): CarriageRequest | undefined {
  const [, secret, threadKey, port] = /^(\S+) (\S+) (\d{1,5})$/.exec(line) ?? [];
  if (!secret || !threadKey || !port) return undefined;
  return { secret, threadKey, port: Number(port) };
}

export function carriageAnswer(byte: string): CarriageAnswer | undefined {
  const answers = Object.keys(CARRIAGE) as CarriageAnswer[];
  return answers.find((answer) => CARRIAGE[answer] === byte);
}
