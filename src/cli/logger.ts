import { pino } from "pino";
import { type Environment, redactor } from "../config/index.ts";

/**
 * The log of a long-running command: one JSON object a line, on standard output. Whatever is logged, the secrets of
 * this environment are not in it.
 */
export function createLogger(level: string, env: Environment) {
  const redact = redactor(env);
  const lines = pino.destination({ fd: 1, sync: true });
  const destination = { write: (line: string) => lines.write(redact(line)) };
  return pino({ level, base: { pid: process.pid } }, destination);
}
