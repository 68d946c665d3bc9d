import { createSocket } from "node:dgram";
import type { DatagramEvents, HostDatagrams, HostTarget } from "./host.ts";

/** Datagrams that wait for the socket, or for the system. */
const MAX_WAITING = 16;
const MAX_QUEUED_BYTES = 1024 * 1024;

/** A UDP socket connected to one peer, so that the system drops what others send. */
export function openDatagrams(target: HostTarget, events: DatagramEvents): HostDatagrams {
  const socket = createSocket("udp4");
  let isOver = false;
  let waiting: Uint8Array[] | undefined = [];
  const close = () => {
    if (isOver) return;
    isOver = true;
    socket.close();
  };
  const fail = (error: NodeJS.ErrnoException) => {
    if (isOver) return;
    close();
    events.onError(error.code ?? "EIO");
  };
  const send = (bytes: Uint8Array) => {
    if (socket.getSendQueueSize() < MAX_QUEUED_BYTES)
      socket.send(bytes, (error) => {
        if (error !== null) fail(error);
      });
  };
  socket.on("error", fail);
  socket.on("message", (bytes) => {
    if (!isOver) events.onMessage(bytes);
  });
  socket.connect(target.port, target.address, (error?: Error) => {
    if (isOver) return;
    if (error !== undefined && error !== null) {
      fail(error);
      return;
    }
    for (const bytes of waiting ?? []) send(bytes);
    waiting = undefined;
  });
  return {
    send: (bytes) => {
      if (isOver) return;
      if (waiting === undefined) send(bytes);
      else if (waiting.length < MAX_WAITING) waiting.push(bytes);
    },
    close,
  };
}
