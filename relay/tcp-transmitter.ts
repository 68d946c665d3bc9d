import type { TcpHalves } from "./tcp-halves.ts";
import { ACK, FIN, PSH, SYN } from "./tcp-segment.ts";
import type { Piece } from "./tcp-sender.ts";
import type { TcpServices } from "./tcp-services.ts";
import type { Endpoint } from "./udp.ts";

/** The window of a SYN that goes first, when nothing is known of the guest. */
const FIRST_WINDOW = 0xffff;

/** Puts a connection's segments on the wire, each with the newest acknowledgment and window. */
export class TcpTransmitter {
  readonly #services: TcpServices;
  readonly #from: Endpoint;
  readonly #to: Endpoint;

  constructor(services: TcpServices, from: Endpoint, to: Endpoint) {
    this.#services = services;
    this.#from = from;
    this.#to = to;
  }

  /** Whether the guest's card takes a frame of data. */
  get hasRoom(): boolean {
    return this.#services.output.ip.wire.room() > 0;
  }

  /** Our SYN, alone or as the answer to the guest's. */
  syn(sequence: number, { receiver, windowScale }: TcpHalves, isAnswer: boolean): void {
    const { output, mssBytes } = this.#services;
    output.control({
      from: this.#from,
      to: this.#to,
      sequence,
      acknowledgment: isAnswer ? receiver.next : 0,
      flags: isAnswer ? SYN | ACK : SYN,
      // RFC 7323, 2.2: never scaled.
      window: isAnswer ? receiver.offerWindow(0, false) : FIRST_WINDOW,
      options: { mssBytes, windowScale },
    });
  }

  /** A segment without payload. */
  control(flags: number, sequence: number, halves: TcpHalves, unsentBytes: number): void {
    this.#services.output.control(this.#header(flags, sequence, halves, unsentBytes));
  }

  data(piece: Piece, halves: TcpHalves, unsentBytes: number): void {
    const { output } = this.#services;
    const { sender } = halves;
    sender.copy(piece, output.frame, output.payloadAt);
    const flags = ACK | (piece.isLast && piece.length > 0 ? PSH : 0) | (piece.fin ? FIN : 0);
    const segmentBytes = piece.length > sender.mssBytes ? sender.mssBytes : 0;
    const header = this.#header(flags, piece.sequence, halves, unsentBytes);
    output.data(header, piece.length, { segmentBytes });
  }

  #header(flags: number, sequence: number, { receiver }: TcpHalves, unsentBytes: number) {
    return {
      from: this.#from,
      to: this.#to,
      sequence,
      acknowledgment: (flags & ACK) !== 0 ? receiver.next : 0,
      flags,
      window: receiver.offerWindow(unsentBytes, true),
    };
  }
}
