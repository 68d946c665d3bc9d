import type { Budget, Limits } from "./limits.ts";
import type { Gate } from "./tcp-host-side.ts";
import type { Segment, SegmentOutput } from "./tcp-segment.ts";
import type { Timers } from "./timers.ts";
import type { Endpoint } from "./udp.ts";

/** Where a connection stands. Half-closes while `open` are known to its sender and receiver. */
export type Phase = "connecting" | "syn-sent" | "syn-received" | "open" | "time-wait" | "closed";

export interface ConnectionOptions {
  guest: Endpoint;
  /** The other end, as the guest sees it. */
  remote: Endpoint;
  services: TcpServices;
  gate?: Gate | undefined;
}

/** A connection that a saved guest believes in: plain numbers, for keeping beside its state. */
export interface SavedFlow {
  guest: Endpoint;
  remote: Endpoint;
  /** What the guest expects next of us, and we of it. */
  sequence: number;
  acknowledgment: number;
}

/** A connection, as those see it who give out time and room. */
export interface TcpFlow {
  readonly guest: Endpoint;
  /** The other end, as the guest sees it. */
  readonly remote: Endpoint;
  readonly phase: Phase;
  /** Sends one segment; false when there is nothing that may go out. */
  sendOne(): boolean;
  /** The batch is over: what the guest must hear and no segment has told it. */
  acknowledgeIfDue(): void;
  /** Moves what the guest has sent on to the host. */
  drain(): void;
}

/** What a connection wants from those around it. */
export interface TcpServices {
  readonly limits: Limits;
  readonly timers: Timers;
  readonly budget: Budget;
  readonly output: SegmentOutput;
  /** Payload of a full segment on this wire. */
  readonly mssBytes: number;
  /** The guest's card takes frames of many segments. */
  readonly cutsSegments: boolean;
  random32(): number;
  /** Whether the guest may talk to the address that was really connected to. */
  acceptsPeer(flow: TcpFlow, remoteAddress: string): boolean;
  onConnected(flow: TcpFlow): void;
  /** The host could not connect; the guest has heard nothing yet. */
  onConnectFailed(flow: TcpFlow, code: string, acknowledgment: number): void;
  wantsToSend(flow: TcpFlow): void;
  wantsToAcknowledge(flow: TcpFlow): void;
  answerReset(segment: Segment, guest: Endpoint, remote: Endpoint): void;
  /** Bytes that may go to the host now; at 0 the flow's `drain` is called when there may be more. */
  upAllowance(flow: TcpFlow): number;
  onMovedUp(bytes: number): void;
  onSentDown(bytes: number): void;
  onTimeWait(flow: TcpFlow): void;
  onClosed(flow: TcpFlow): void;
}
