import { randomBytes, randomUUID } from "node:crypto";

const BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** An id as Slack makes them: a letter for the kind, `0`, and nine of base 36. */
export function slackId(kind: "T" | "U" | "C" | "D" | "F" | "A" | "B" | "Ev"): string {
  return `${kind}0${Array.from(randomBytes(9), (byte) => BASE36[byte % 36]).join("")}`;
}

export function shortId(): string {
  return randomBytes(4).toString("base64url").replaceAll(/[-_]/g, "x").slice(0, 5);
}

export function clientMessageId(): string {
  return randomUUID();
}

/**
 * Message timestamps (`1712345678.000219`): seconds and six digits, unique and rising in a workspace,
 * also when the clock stands still or goes back.
 */
export function createTimestamps(now: () => number): () => string {
  let lastMicros = 0;
  return () => {
    lastMicros = Math.max(lastMicros + 1, Math.floor(now() * 1_000));
    const seconds = Math.floor(lastMicros / 1_000_000);
    return `${seconds}.${String(lastMicros % 1_000_000).padStart(6, "0")}`;
  };
}
