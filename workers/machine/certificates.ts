import { createHash } from "node:crypto";
import type { Guest } from "./guest.ts";

const DEADLINE_MS = 30_000;

/**
 * The operator's certificates in the guest. A sandbox remembers which it has, so that one that was saved under other
 * certificates gets today's with its next command, and all others cost nothing.
 */
export class Certificates {
  readonly #guest: Guest;
  readonly #pem: string;
  readonly #wanted: string;
  /** Of the ones that the guest trusts; "" for none. */
  installed = "";

  /** @param pem of all of them; "" for none. */
  constructor(guest: Guest, pem: string) {
    this.#guest = guest;
    this.#pem = pem;
    this.#wanted = pem === "" ? "" : createHash("sha256").update(pem).digest("hex");
  }

  /** Has the guest trust them, unless it does. Says why it could not. @throws MachineError GUEST_DIED */
  async install(): Promise<string | undefined> {
    if (this.installed === this.#wanted) return undefined;
    const { status, stderr } = await this.#guest.runApart(
      "/usr/lib/mom/trust",
      Buffer.from(this.#pem),
      DEADLINE_MS,
    );
    if (status !== 0) return stderr.trim().split("\n").at(-1) ?? "";
    this.installed = this.#wanted;
    return undefined;
  }
}
