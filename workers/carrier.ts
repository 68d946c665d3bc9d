import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import {
  CARRIAGE,
  type CarriageAnswer,
  type CarrierAddress,
  LONGEST_CARRIAGE_LINE,
  parseCarriageLine,
} from "../src/queue/index.ts";
import type { Clock } from "./clock.ts";
import { MachineError } from "./machine/api.ts";
import type { SlotMachine } from "./machine-slot.ts";
import type { Occupancy } from "./sandboxes.ts";

export interface CarrierOptions {
  /** Address or name of this host that the proxy reaches it by. */
  host: string;
  clock: Clock;
  log: Logger;
}

export class CarrierError extends Error {
  override readonly name = "CarrierError";
  readonly code = "ADDRESS_UNAVAILABLE";
}

const MOST_CONNECTIONS = 256;
const LINE_WITHIN_MS = 5_000;
const SECRET_BYTES = 24;

/** The thread whose sandbox is in the machine. */
interface Inside {
  threadKey: string;
  machine: SlotMachine;
  /** Sockets that lead to its ports. */
  paths: Map<number, Promise<string>>;
  isAwake: boolean;
  /** It is awake and has no programs. */
  isSilent: boolean;
}

/**
 * Carries bytes between the proxy and the ports of the thread that is in this worker's machine, and knows nothing of
 * what they mean. It leads to nothing else: who asks names the thread and shows the secret that is in Redis.
 */
export class Carrier implements Occupancy {
  readonly address: CarrierAddress;
  readonly #server: Server;
  readonly #options: CarrierOptions;
  /** All that are connected, and of these the ones that are joined to a port. */
  readonly #sockets = new Set<Socket>();
  readonly #joined = new Set<Socket>();
  #inside: Inside | undefined;
  #lastUsedMs = 0;

  private constructor(server: Server, options: CarrierOptions, port: number) {
    this.#server = server;
    this.#options = options;
    const secret = randomBytes(SECRET_BYTES).toString("hex");
    this.address = { host: options.host, port, secret };
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Throws `CarrierError`. */
  static async listen(options: CarrierOptions): Promise<Carrier> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = MOST_CONNECTIONS;
    try {
      await once(server.listen({ host: options.host, port: 0 }), "listening");
    } catch (cause) {
      throw new CarrierError(
        `MOM_EXPOSE_WORKER: ${options.host} is no address of this host that can be listened on.`,
        { cause },
      );
    }
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new Carrier(server, options, address.port);
  }

  /** When the last byte was carried for the thread that is in the machine; 0 before. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  enters(threadKey: string, machine: SlotMachine): void {
    if (this.#inside?.threadKey !== threadKey || this.#inside.machine !== machine) this.leaves();
    this.#inside ??= { threadKey, machine, paths: new Map(), isAwake: true, isSilent: false };
    this.#inside.isAwake = true;
    this.#inside.isSilent = false;
  }

  leaves(): void {
    this.sleep();
    this.#inside = undefined;
    this.#lastUsedMs = 0;
  }

  /** The thread's programs do not run any more: what is open ends. */
  sleep(): void {
    if (this.#inside) this.#inside.isAwake = false;
    for (const socket of this.#joined) socket.destroy();
  }

  /** After `sleep`, in the same thread. */
  goesOn(programs: number): void {
    if (!this.#inside) return;
    this.#inside.isAwake = true;
    this.#inside.isSilent = programs === 0;
  }

  async close(): Promise<void> {
    this.leaves();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {
      // It closes.
    });
    socket.setTimeout(LINE_WITHIN_MS, () => socket.destroy());
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\n");
      if (end < 0 && head.length <= LONGEST_CARRIAGE_LINE) return;
      socket.off("data", onData);
      socket.pause();
      socket.setTimeout(0);
      if (end < 0) return void socket.destroy();
      if (head.length > end + 1) socket.unshift(head.subarray(end + 1));
      void this.#join(socket, head.toString("latin1", 0, end));
    };
    socket.on("data", onData);
  }

  async #join(socket: Socket, line: string): Promise<void> {
    const request = parseCarriageLine(line);
    if (!request || !isSame(request.secret, this.address.secret)) return void socket.destroy();
    const inside = this.#inside;
    const isThere = () =>
      inside?.isAwake && this.#inside === inside && inside.threadKey === request.threadKey;
    if (!inside || !isThere() || inside.machine.isDead) return answer(socket, "asleep");
    if (inside.isSilent) return answer(socket, "nothingRuns");
    try {
      const there = await connected(await this.#path(inside, request.port));
      if (socket.destroyed || !isThere()) {
        there.destroy();
        return answer(socket, "asleep");
      }
      socket.write(CARRIAGE.joined);
      this.#pipe(socket, there);
    } catch (err) {
      // The machine has gone, another thread has come into it, or nothing can.
      this.#options.log.debug({ err }, "a port could not be reached");
      inside.paths.delete(request.port);
      const isClosed = err instanceof MachineError && err.code === "NO_WAY_IN";
      answer(socket, isClosed ? "noWayIn" : "asleep");
    }
  }

  #path({ paths, machine }: Inside, port: number): Promise<string> {
    const known = paths.get(port);
    if (known) return known;
    const path = machine.publishSocket(port);
    paths.set(port, path);
    return path;
  }

  #pipe(socket: Socket, there: Socket): void {
    const noteUse = () => {
      this.#lastUsedMs = this.#options.clock.now();
    };
    noteUse();
    this.#joined.add(socket);
    for (const [one, other] of [
      [socket, there],
      [there, socket],
    ] as const) {
      one.on("data", noteUse);
      one.on("error", () => other.destroy());
      // What is on its way to the other end arrives, unless it broke off.
      one.once("close", () => {
        if (one.errored || !other.writableEnded) other.destroy();
      });
      one.pipe(other);
    }
    socket.once("close", () => this.#joined.delete(socket));
  }
}

function answer(socket: Socket, what: CarriageAnswer): void {
  socket.end(CARRIAGE[what]);
  // Nothing more is read.
  socket.resume();
}

async function connected(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

function isSame(given: string, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
