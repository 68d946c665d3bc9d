/**
 * All that the relay wants from the computer it runs on: sockets, names, time, chance. Protocol code calls nothing
 * else, so a test can be the whole outside world.
 */
export interface Host {
  /** A clock that never goes back, in milliseconds. */
  nowMs(): number;
  /** Calls back once, later; the returned function takes it back. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Calls back when the events at hand have been dealt with: the end of a batch. */
  soon(callback: () => void): void;
  /** 32 unpredictable bits. */
  random32(): number;
  /** Dotted IPv4 addresses of the computer's own interfaces. */
  ownAddresses(): string[];
  /** Connects to an address, never to a name: names are looked up, and judged, by the relay. */
  connectTcp(target: HostTarget, events: StreamEvents): HostStream;
  /** A socket that sends to, and hears from, one peer only. */
  openUdp(target: HostTarget, events: DatagramEvents): HostDatagrams;
  /** Asks the resolver of the computer. Never rejects. */
  resolve(name: string, type: DnsType): Promise<DnsResult>;
  /** Whether an address answers a ping; absent where the system lets nobody send one. */
  ping?(address: string, timeoutMs: number): Promise<boolean>;
}

export interface HostTarget {
  /** Dotted IPv4 address. */
  address: string;
  port: number;
}

/** What a stream tells the relay. Nothing more is called after `onError` or after `destroy`. */
export interface StreamEvents {
  /** The address that is really at the other end. */
  onConnect(remoteAddress: string): void;
  /** The bytes are the relay's to keep, where there is a `release`, until it calls that. */
  onData(bytes: Uint8Array, release?: () => void): void;
  /** The other side has sent its last byte. */
  onEnd(): void;
  /** Some of `unsentBytes` has left. */
  onDrain(): void;
  /** The stream is over, before or after it was connected: a system error code such as `ECONNREFUSED`. */
  onError(code: string): void;
}

/** One stream of bytes on the host's side. */
export interface HostStream {
  /** Takes any amount: the relay itself keeps `unsentBytes` bounded. The bytes are not changed afterwards. */
  write(bytes: Uint8Array): void;
  /** Bytes taken by `write` that the system has not taken yet. */
  readonly unsentBytes: number;
  /** No more will be written. */
  end(): void;
  pause(): void;
  resume(): void;
  /** Closes at once; with `reset`, so that the other side sees a broken connection instead of an end. */
  destroy(reset: boolean): void;
}

export interface DatagramEvents {
  onMessage(bytes: Uint8Array): void;
  /** `ECONNREFUSED` when nothing listens there; the flow is over. */
  onError(code: string): void;
}

export interface HostDatagrams {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** Record types that are looked up for the guest (RFC 1035, 2782, 3403, 8659). */
export type DnsType = "A" | "NS" | "CNAME" | "SOA" | "PTR" | "MX" | "TXT" | "SRV" | "NAPTR" | "CAA";

export type DnsData =
  | { type: "A"; address: string }
  | { type: "NS" | "CNAME" | "PTR"; name: string }
  | {
      type: "SOA";
      primary: string;
      mailbox: string;
      serial: number;
      refresh: number;
      retry: number;
      expire: number;
      minimum: number;
    }
  | { type: "MX"; preference: number; exchange: string }
  | { type: "TXT"; strings: string[] }
  | { type: "SRV"; priority: number; weight: number; port: number; target: string }
  | {
      type: "NAPTR";
      order: number;
      preference: number;
      flags: string;
      service: string;
      regexp: string;
      replacement: string;
    }
  | { type: "CAA"; critical: number; tag: string; value: string };

export interface DnsRecord {
  ttlSeconds: number;
  data: DnsData;
}

export interface DnsResult {
  /** `empty`: the name exists without records of this type. */
  status: "found" | "empty" | "no-such-name" | "failed";
  records: DnsRecord[];
}
