import { request } from "node:http";
import { Readable } from "node:stream";
import { nodeHost, Policy, Relay, type RelayStats, type SavedFlow } from "../../relay/index.ts";
import { MachineError } from "./api.ts";
import type { NetworkParameters, PublishedPort } from "./messages.ts";
import type { Card, Network } from "./network.ts";
import type { V86Emulator } from "./v86-internals.ts";
import { CARD_MAC } from "./virtio-net.ts";

/** Its addresses are those of the base. It answers DNS from its router, so that is the name server of the base. */
export const FETCH_DEVICE = { relay_url: "fetch", router_ip: "10.0.2.3", vm_ip: "10.0.2.15" };
const GATEWAY = "10.0.2.2";
const HTTP_PORT = 80;
/** Statuses whose answers have no body (Fetch Standard, "null body status"). */
const BODILESS = new Set([101, 103, 204, 205, 304]);

/**
 * v86's own network: HTTP on port 80, read whole and asked again by the host. What it may reach is decided by the same
 * policy, on the address that is then connected to; redirects are the guest's to follow.
 */
export class FetchNetwork implements Network {
  readonly #v86: V86Emulator;
  readonly #card: Card;
  /** For what it knows of the policy: no frame goes through it. */
  readonly #relay: Relay;
  #waiting: Uint8Array[] = [];
  #isPaused = true;

  constructor(v86: V86Emulator, card: Card, parameters: NetworkParameters) {
    const { rules, hostPorts, nameServers } = parameters;
    this.#v86 = v86;
    this.#card = card;
    this.#relay = new Relay({
      host: nodeHost({ nameServers }),
      policy: Policy.parse(rules, hostPorts),
      send: () => {},
    });
    const { bus } = v86.v86;
    bus.send("net0-mac", CARD_MAC);
    bus.register(
      "net0-receive",
      (frame: Uint8Array) => {
        this.#waiting.push(frame);
        this.#give();
      },
      this,
    );
    const adapter = v86.network_adapter;
    if (adapter === undefined) throw new Error("this version of v86 has no fetch network");
    adapter.fetch = (url, options) => this.#fetch(url, options);
  }

  planBatch(): void {
    setImmediate(() => {
      for (const frame of this.#card.take()) this.#v86.v86.bus.send("net0-send", frame);
      this.#give();
    });
  }

  #give(): void {
    while (!this.#isPaused && this.#waiting.length > 0 && this.#card.room > 0) {
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      const withHeadroom = new Uint8Array(frame.length + 12).subarray(12);
      withHeadroom.set(frame);
      this.#card.send(withHeadroom, 0);
    }
  }

  resume(): void {
    this.#isPaused = false;
    this.planBatch();
  }

  pause(): void {
    this.#isPaused = true;
  }

  save(): SavedFlow[] {
    return [];
  }

  /** Connections of the sandbox before are forgotten; v86 answers what belongs to none with a reset. */
  enter(): void {
    this.#waiting = [];
    const adapter = this.#v86.network_adapter;
    if (adapter !== undefined) adapter.tcp_conn = {};
  }

  publish(): Promise<PublishedPort> {
    return this.publishSocket();
  }

  async publishSocket(): Promise<never> {
    const message = "v86's own network lets nothing in: set MOM_NET to relay.";
    throw new MachineError("NO_WAY_IN", message);
  }

  startTurn(): void {}

  get stats(): RelayStats {
    return this.#relay.stats();
  }

  async #fetch(url: string, options: RequestInit): Promise<Response> {
    const { hostname, host, port, pathname, search } = new URL(url);
    // v86 makes it of names such as 8080.external.
    const wanted = hostname === "localhost" ? GATEWAY : hostname;
    const portNumber = port === "" ? HTTP_PORT : Number(port);
    const { verdict, addresses, why } = await this.#relay.explain(wanted, portNumber);
    const [found] = addresses;
    if (verdict !== "allow" || found === undefined) throw new Error(why);
    const address = found.address === GATEWAY ? "127.0.0.1" : found.address;
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: address,
          port: portNumber,
          path: pathname + search,
          method: options.method,
          headers: { ...Object.fromEntries(new Headers(options.headers)), host },
        },
        (answer) => {
          const { statusCode: status = 502, statusMessage: statusText = "" } = answer;
          const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
            values.map((value): [string, string] => [name, value]),
          );
          const body = BODILESS.has(status) ? null : (Readable.toWeb(answer) as ReadableStream);
          resolve(new Response(body, { status, statusText, headers }));
        },
      );
      asked.on("error", reject);
      asked.end(options.body instanceof Uint8Array ? options.body : undefined);
    });
  }
}
