/** Lines of the kernel after which nothing in the guest runs any more. */
const LAST_WORDS = [
  { pattern: /Kernel panic - not syncing: (.*)/, says: "the guest's kernel panicked" },
  { pattern: /reboot: (System halted)/, says: "the guest halted" },
  { pattern: /reboot: (Power down)/, says: "the guest powered itself off" },
  { pattern: /reboot: (Restarting system)/, says: "the guest rebooted" },
  { pattern: /sysrq: (Resetting)/, says: "the guest rebooted" },
  { pattern: /mom: (cannot mount .*)/, says: "the guest could not start" },
];
const MAX_LINE_BYTES = 4_096;

/** Reads the serial console, line by line. */
export class ConsoleWatch {
  readonly #onText: (text: string) => void;
  readonly #onDead: (reason: string) => void;
  #line: number[] = [];

  constructor(onText: (text: string) => void, onDead: (reason: string) => void) {
    this.#onText = onText;
    this.#onDead = onDead;
  }

  byte(byte: number): void {
    this.#line.push(byte);
    if (byte === 0x0a || this.#line.length >= MAX_LINE_BYTES) this.flush();
  }

  /** Take what stands in an unfinished line. */
  flush(): void {
    if (this.#line.length === 0) return;
    const text = Buffer.from(this.#line).toString("utf8");
    this.#line = [];
    this.#onText(text);
    for (const { pattern, says } of LAST_WORDS) {
      const match = pattern.exec(text);
      if (match) this.#onDead(`${says} (${match[1]?.trim()})`);
    }
  }
}
