import { type Logger, LogLevel } from "@slack/bolt";
import type { Log } from "../queue/index.ts";

/** Bolt's log lines in ours. Its `debug` lines hold whole messages and are left out. */
export function boltLogger(log: Log): Logger {
  return {
    debug() {},
    info: (...parts) => log.debug({ source: "bolt" }, line(parts)),
    warn: (...parts) => log.warn({ source: "bolt" }, line(parts)),
    error: (...parts) => log.warn({ source: "bolt" }, line(parts)),
    setLevel() {},
    getLevel: () => LogLevel.INFO,
    setName() {},
  };
}

function line(parts: unknown[]): string {
  return parts.map((part) => (part instanceof Error ? part.message : String(part))).join(" ");
}
