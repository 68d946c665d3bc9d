import type {
  DatagramEvents,
  DnsRecord,
  DnsResult,
  DnsType,
  Host,
  HostDatagrams,
  HostStream,
  HostTarget,
  StreamEvents,
} from "../../../relay/index.ts";

/** The whole outside world, with a clock that stands until it is moved. */
export class SimHost implements Host {
  timeMs = 0;
  own: string[] = ["127.0.0.1", "198.51.100.9"];
  readonly streams: SimStream[] = [];
  readonly sockets: SimSocket[] = [];
  readonly asked: string[] = [];
  /** By "TYPE name"; A records as text. */
  readonly zone = new Map<string, DnsResult>();
  ping?: (address: string, timeoutMs: number) => Promise<boolean>;
  #timers = new Map<number, { atMs: number; callback: () => void }>();
  #soon: (() => void)[] = [];
  #id = 0;
  #random: () => number;

  constructor(random: () => number = () => 0x12345678) {
    this.#random = random;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.timeMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const id = ++this.#id;
    this.#timers.set(id, { atMs: this.timeMs + delayMs, callback });
    return () => this.#timers.delete(id);
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  random32(): number {
    return this.#random() >>> 0;
  }

  ownAddresses(): string[] {
    return this.own;
  }

  connectTcp(target: HostTarget, events: StreamEvents): HostStream {
    const stream = new SimStream(target, events);
    this.streams.push(stream);
    return stream;
  }

  openUdp(target: HostTarget, events: DatagramEvents): HostDatagrams {
    const socket = new SimSocket(target, events);
    this.sockets.push(socket);
    return socket;
  }

  async resolve(name: string, type: DnsType): Promise<DnsResult> {
    this.asked.push(`${type} ${name}`);
    return this.zone.get(`${type} ${name}`) ?? { status: "no-such-name", records: [] };
  }

  answerA(name: string, addresses: string[], ttlSeconds = 60): void {
    const records = addresses.map(
      (address): DnsRecord => ({ ttlSeconds, data: { type: "A", address } }),
    );
    this.zone.set(`A ${name}`, { status: "found", records });
  }

  /** All that was put off until the end of the batch. */
  settle(): void {
    for (let round = 0; this.#soon.length > 0; round++) {
      if (round > 100_000) throw new Error("the relay never comes to rest");
      const callbacks = this.#soon;
      this.#soon = [];
      for (const callback of callbacks) callback();
    }
  }

  /** Answers of the resolver come in microtasks. */
  async settleAll(): Promise<void> {
    for (let round = 0; round < 10; round++) {
      await Promise.resolve();
      this.settle();
    }
  }

  advance(ms: number): void {
    const endMs = this.timeMs + ms;
    this.settle();
    for (;;) {
      let next: [number, { atMs: number; callback: () => void }] | undefined;
      for (const entry of this.#timers)
        if (entry[1].atMs <= endMs && (next === undefined || entry[1].atMs < next[1].atMs))
          next = entry;
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.timeMs = Math.max(this.timeMs, next[1].atMs);
      next[1].callback();
      this.settle();
    }
    this.timeMs = endMs;
  }
}

/** A stream whose other side is the test. */
export class SimStream implements HostStream {
  readonly target: HostTarget;
  readonly events: StreamEvents;
  readonly received: Buffer[] = [];
  /** Bytes that the "system" takes at once; the rest waits for `take`. */
  roomBytes = Number.POSITIVE_INFINITY;
  isPaused = false;
  isEnded = false;
  destroyed: "no" | "closed" | "reset" = "no";
  #waiting: Buffer = Buffer.alloc(0);

  constructor(target: HostTarget, events: StreamEvents) {
    this.target = target;
    this.events = events;
  }

  get unsentBytes(): number {
    return this.#waiting.length;
  }

  get text(): string {
    return Buffer.concat(this.received).toString("latin1");
  }

  write(bytes: Uint8Array): void {
    if (this.isEnded) throw new Error("written after the end");
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    this.#take();
  }

  /** The "system" has room for more. */
  take(bytes: number): void {
    this.roomBytes += bytes;
    if (this.#take() > 0) this.events.onDrain();
  }

  end(): void {
    this.isEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  destroy(reset: boolean): void {
    this.destroyed = reset ? "reset" : "closed";
  }

  #take(): number {
    const size = Math.min(this.roomBytes, this.#waiting.length);
    if (size <= 0) return 0;
    this.received.push(this.#waiting.subarray(0, size));
    this.#waiting = this.#waiting.subarray(size);
    this.roomBytes -= size;
    return size;
  }
}

export class SimSocket implements HostDatagrams {
  readonly target: HostTarget;
  readonly events: DatagramEvents;
  readonly sent: Buffer[] = [];
  isClosed = false;

  constructor(target: HostTarget, events: DatagramEvents) {
    this.target = target;
    this.events = events;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes));
  }

  close(): void {
    this.isClosed = true;
  }
}
