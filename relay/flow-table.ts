import type { Ipv4 } from "./address.ts";

/** Flows by the guest's port and the other end, without making a string for every packet. */
export class FlowTable<Flow> {
  /** By the other end, whose 48 bits a number holds; then by the guest's port. */
  readonly #flows = new Map<number, Map<number, Flow>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(guestPort: number, address: Ipv4, port: number): Flow | undefined {
    return this.#flows.get(address * 0x10000 + port)?.get(guestPort);
  }

  set(guestPort: number, address: Ipv4, port: number, flow: Flow): void {
    const key = address * 0x10000 + port;
    let ports = this.#flows.get(key);
    if (ports === undefined) {
      ports = new Map();
      this.#flows.set(key, ports);
    }
    if (!ports.has(guestPort)) this.#size++;
    ports.set(guestPort, flow);
  }

  delete(guestPort: number, address: Ipv4, port: number): void {
    const key = address * 0x10000 + port;
    const ports = this.#flows.get(key);
    if (ports?.delete(guestPort) !== true) return;
    this.#size--;
    if (ports.size === 0) this.#flows.delete(key);
  }

  clear(): void {
    this.#flows.clear();
    this.#size = 0;
  }

  /** All flows as they are now: the table may change meanwhile. */
  all(): Flow[] {
    return [...this.#flows.values()].flatMap((ports) => [...ports.values()]);
  }
}
