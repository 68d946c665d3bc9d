import { TcpReceiver, windowScaleFor } from "./tcp-receiver.ts";
import type { TcpOptions } from "./tcp-segment.ts";
import { TcpSender } from "./tcp-sender.ts";
import { addSequence } from "./tcp-sequence.ts";
import type { TcpServices } from "./tcp-services.ts";

/** Below this no one's MSS goes (Linux: 48): each segment costs the host, however small. */
const MIN_MSS_BYTES = 64;
/** Payload of the largest packet. */
const MAX_PAYLOAD_BYTES = 0xffff - 40;

/** Both ways of a connection. */
export interface TcpHalves {
  sender: TcpSender;
  receiver: TcpReceiver;
  /** By how many bits the guest's window is to be shifted. */
  guestScale: number;
  /** Our own scale, which the SYN tells; `undefined` where the guest's SYN told none. */
  windowScale: number | undefined;
}

/**
 * @param ours number of our SYN
 * @param theirs number of the guest's
 * @param guest what its SYN said; our own SYN goes first without it
 */
export function makeHalves(
  services: TcpServices,
  ours: number,
  theirs: number,
  guest: TcpOptions,
): TcpHalves {
  const { budget, mssBytes, cutsSegments, limits } = services;
  const bufferBytes = limits.connectionBufferBytes;
  const sendMss = Math.max(MIN_MSS_BYTES, Math.min(guest.mssBytes, mssBytes));
  const most = cutsSegments ? MAX_PAYLOAD_BYTES : sendMss;
  const sender = new TcpSender({
    sequence: addSequence(ours, 1),
    mssBytes: sendMss,
    pieceBytes: most - (most % sendMss),
    budget,
  });
  const windowScale = guest.windowScale === undefined ? undefined : windowScaleFor(bufferBytes);
  const sequence = addSequence(theirs, 1);
  const receiver = new TcpReceiver({ sequence, windowScale, bufferBytes, mssBytes, budget });
  return { sender, receiver, guestScale: guest.windowScale ?? 0, windowScale };
}
