import type { TcpReceiver } from "./tcp-receiver.ts";
import { ACK, FIN, RST, type Segment, SYN } from "./tcp-segment.ts";

/** Numbers that a segment takes up: its payload, and one for FIN. */
export function lengthOf(segment: Segment): number {
  return segment.payload.length + ((segment.flags & FIN) !== 0 ? 1 : 0);
}

/**
 * What to do with a segment of an established connection before its acknowledgment is looked at (RFC 9293, 3.10.7.4).
 * `challenge`: an acknowledgment shows the guest where we stand.
 */
export function checkSegment(
  segment: Segment,
  receiver: TcpReceiver,
): "sound" | "reset" | "challenge" | "drop" {
  const isReset = (segment.flags & RST) !== 0;
  if (!receiver.isAcceptable(segment, lengthOf(segment))) return isReset ? "drop" : "challenge";
  // RFC 5961, 3.2 and 4.2: only an exact RST ends a connection, and a SYN never does.
  if (isReset) return segment.sequence === receiver.next ? "reset" : "challenge";
  if ((segment.flags & SYN) !== 0) return "challenge";
  return (segment.flags & ACK) !== 0 ? "sound" : "drop";
}
