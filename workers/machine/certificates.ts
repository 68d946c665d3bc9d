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

  /** Whether the operator has any. */
  get areGiven(): boolean {
    return this.#wanted !== "";
  }

  /** Whether the guest trusts them, and no others. */
  get areInstalled(): boolean {
    return this.installed === this.#wanted;
  }

  /**
   * Has the guest trust them, unless it does.
   *
   * @param onTrouble where it cannot: what is run next runs without them.
   * @throws MachineError GUEST_DIED
   */
  async install(onTrouble?: (sentence: string) => void): Promise<void> {
    if (this.areInstalled) return;
    const { status, stderr } = await this.#guest.runApart(
      "/usr/lib/mom/trust",
      Buffer.from(this.#pem),
      DEADLINE_MS,
    );
    if (status === 0) this.installed = this.#wanted;
    else {
      const [reason = ""] = stderr.trim().split("\n").slice(-1);
      onTrouble?.(`The operator's certificates are not trusted here: ${reason}`);
    }
  }
}
