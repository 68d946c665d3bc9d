import { FLAG, type SeenTcp, tcpFrame } from "./frames.ts";

/**
 * A plain TCP of its own for the guest's side of a model test: stop, go back, send again. It knows RFC 9293 and
 * nothing of the relay's code.
 */
export interface ModelGuestOptions {
  destination: string;
  destinationPort: number;
  sourcePort: number;
  sequence: number;
  mss: number;
  /** Bytes it takes before it waits for its reader; at most 65535 << scale. */
  windowBytes: number;
  scale: number | undefined;
  /** What it sends, and then FIN. */
  toSend: Buffer;
  send(frame: Buffer): void;
  nowMs(): number;
}

const RESEND_MS = 300;

export class ModelGuest {
  readonly received: Buffer[] = [];
  readonly #options: ModelGuestOptions;
  #state: "syn" | "open" = "syn";
  #una: number;
  #nxt: number;
  #peerWindow = 0;
  #peerScale = 0;
  #peerMss = 536;
  #rcv = 0;
  #unread = 0;
  #acked = 0;
  #sentAtMs = 0;
  #early = new Map<number, Buffer>();
  peerFinished = false;
  finAcked = false;
  wasReset = false;

  constructor(options: ModelGuestOptions) {
    this.#options = options;
    this.#una = options.sequence;
    this.#nxt = options.sequence;
  }

  get isDone(): boolean {
    return this.peerFinished && this.finAcked && this.#unread === 0;
  }

  get receivedBytes(): number {
    return this.received.reduce((sum, part) => sum + part.length, 0);
  }

  start(): void {
    const { mss, scale, sequence } = this.#options;
    const options = [2, 4, mss >> 8, mss & 255];
    if (scale !== undefined) options.push(3, 3, scale, 0);
    this.#emit(sequence, FLAG.syn, Buffer.alloc(0), options);
    this.#nxt = sequence + 1;
    this.#sentAtMs = this.#options.nowMs();
  }

  /** The program in the guest reads. */
  read(bytes: number): void {
    const before = this.#window;
    this.#unread = Math.max(0, this.#unread - bytes);
    if (this.#state === "open" && before < this.#options.mss && this.#window >= this.#options.mss)
      this.#emit(this.#nxt, FLAG.ack);
  }

  /** Called now and then. */
  tick(): void {
    const waits = this.#nxt !== this.#una || (this.#state === "open" && this.#hasMore);
    if (!waits || this.#options.nowMs() - this.#sentAtMs < RESEND_MS) return;
    this.#sentAtMs = this.#options.nowMs();
    if (this.#state === "syn") this.start();
    else {
      this.#nxt = this.#una;
      this.#sendSome(true);
    }
  }

  receive(segment: SeenTcp): void {
    if ((segment.flags & FLAG.rst) !== 0) {
      // In TIME_WAIT an answer to a segment that came late means nothing (RFC 1337).
      this.wasReset ||= !(this.peerFinished && this.finAcked);
      return;
    }
    if (this.#state === "syn") {
      if ((segment.flags & FLAG.syn) === 0 || segment.acknowledgment !== this.#nxt >>> 0) return;
      this.#state = "open";
      this.#una = this.#nxt;
      this.#rcv = (segment.sequence + 1) >>> 0;
      this.#peerMss = segment.mss ?? 536;
      this.#peerScale = segment.windowScale ?? 0;
      this.#peerWindow = segment.window;
      this.#emit(this.#nxt, FLAG.ack);
      this.#sendSome(false);
      return;
    }
    const isSyn = (segment.flags & FLAG.syn) !== 0;
    const acked = (segment.acknowledgment - (this.#una >>> 0)) | 0;
    if (!isSyn && acked >= 0) {
      if (acked > 0) {
        this.#una += acked;
        this.#acked += acked;
        if (this.#nxt < this.#una) this.#nxt = this.#una;
        this.#sentAtMs = this.#options.nowMs();
        if (this.#acked > this.#options.toSend.length) this.finAcked = true;
      }
      this.#peerWindow = segment.window << this.#peerScale;
    }
    const fin = (segment.flags & FLAG.fin) !== 0;
    if (isSyn || segment.payload.length > 0 || fin) {
      this.#take(segment, fin);
      this.#emit(this.#nxt, FLAG.ack);
    }
    this.#sendSome(false);
  }

  #take(segment: SeenTcp, fin: boolean): void {
    const skip = (this.#rcv - segment.sequence) | 0;
    if (skip < 0) {
      // Kept for later, as Linux would.
      if (-skip <= this.#window && this.#early.size < 64 && !fin)
        this.#early.set(segment.sequence, Buffer.from(segment.payload));
      return;
    }
    if (this.peerFinished) return;
    const fresh = segment.payload.subarray(skip);
    const taken = fresh.subarray(0, this.#window);
    this.#accept(taken);
    if (fin && skip <= segment.payload.length && taken.length === fresh.length) {
      this.#rcv = (this.#rcv + 1) >>> 0;
      this.peerFinished = true;
    }
    for (let next = this.#early.get(this.#rcv); next !== undefined; ) {
      this.#early.delete(this.#rcv);
      if (next.length > this.#window) break;
      this.#accept(next);
      next = this.#early.get(this.#rcv);
    }
  }

  #accept(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.received.push(Buffer.from(bytes));
    this.#unread += bytes.length;
    this.#rcv = (this.#rcv + bytes.length) >>> 0;
  }

  get #window(): number {
    return Math.max(0, this.#options.windowBytes - this.#unread);
  }

  get #hasMore(): boolean {
    return !this.finAcked;
  }

  #sendSome(probes: boolean): void {
    const { toSend, sequence } = this.#options;
    const first = sequence + 1;
    for (;;) {
      const at = this.#nxt - first;
      const room = this.#una + this.#peerWindow - this.#nxt;
      if (at > toSend.length) return;
      if (at === toSend.length) {
        this.#emit(this.#nxt, FLAG.ack | FLAG.fin);
        this.#nxt++;
        return;
      }
      let size = Math.min(toSend.length - at, this.#peerMss, this.#options.mss, room);
      if (size <= 0 && probes && this.#nxt === this.#una) size = 1;
      if (size <= 0) return;
      this.#emit(this.#nxt, FLAG.ack, toSend.subarray(at, at + size));
      this.#nxt += size;
      this.#sentAtMs = this.#options.nowMs();
    }
  }

  #emit(
    sequence: number,
    flags: number,
    payload: Buffer = Buffer.alloc(0),
    options: number[] = [],
  ): void {
    const { destination, destinationPort, sourcePort, scale } = this.#options;
    const window = Math.min(65_535, this.#window >>> ((flags & FLAG.syn) !== 0 ? 0 : (scale ?? 0)));
    const acknowledgment = (flags & FLAG.ack) !== 0 ? this.#rcv : 0;
    const to = { destination, destinationPort, sourcePort };
    this.#options.send(
      tcpFrame({ ...to, sequence, acknowledgment, flags, payload, options, window }),
    );
  }
}
