import type { Dns } from "./dns.ts";
import { read16, write16 } from "./ethernet.ts";
import type { HostStream, StreamEvents } from "./host.ts";

/** Questions at once, above which a connection has to wait. */
const MAX_QUESTIONS = 16;
/** No question is longer. */
const MAX_QUESTION_BYTES = 4096;

/** The name server's end of a TCP connection: messages with two bytes of length before each (RFC 7766, 8). */
export class DnsStream implements HostStream {
  readonly #dns: Dns;
  readonly #events: StreamEvents;
  #received: Uint8Array = new Uint8Array();
  #asked = 0;
  #isEnded = false;
  #isDestroyed = false;

  constructor(dns: Dns, events: StreamEvents) {
    this.#dns = dns;
    this.#events = events;
  }

  get unsentBytes(): number {
    return this.#asked < MAX_QUESTIONS ? 0 : this.#received.length;
  }

  write(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#received.length + bytes.length);
    joined.set(this.#received);
    joined.set(bytes, this.#received.length);
    this.#received = joined;
    this.#ask();
  }

  end(): void {
    this.#isEnded = true;
    this.#endIfDone();
  }

  pause(): void {
    // Answers are few: their number is bounded by MAX_QUESTIONS.
  }

  resume(): void {
    this.#ask();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#received = new Uint8Array();
  }

  #ask(): void {
    while (this.#asked < MAX_QUESTIONS && this.#received.length >= 2) {
      const end = 2 + read16(this.#received, 0);
      if (end > MAX_QUESTION_BYTES) {
        this.#events.onError("EPROTO");
        return;
      }
      if (this.#received.length < end) return;
      const message = this.#received.subarray(2, end);
      this.#received = this.#received.slice(end);
      this.#asked++;
      let isAnswered = false;
      this.#dns.answer(message, true, (answer) => {
        isAnswered = true;
        this.#onAnswer(answer);
      });
      // What is no query gets no answer, now or later.
      if (!isAnswered && (message.length < 12 || ((message[2] ?? 0) & 0x80) !== 0)) this.#asked--;
    }
  }

  #onAnswer(answer: Uint8Array): void {
    this.#asked--;
    if (this.#isDestroyed) return;
    const framed = new Uint8Array(2 + answer.length);
    write16(framed, 0, answer.length);
    framed.set(answer, 2);
    this.#events.onData(framed);
    this.#ask();
    this.#events.onDrain();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isEnded && this.#asked === 0 && !this.#isDestroyed) this.#events.onEnd();
  }
}
