import type { Socket } from "node:net";
import type { HostStream, StreamEvents } from "./host.ts";

/** After this long without a word the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 60_000;

/** A stream over a socket of Node's, made with `allowHalfOpen`; connected, or about to be. */
export function streamOf(socket: Socket, events: StreamEvents): HostStream {
  let isOver = false;
  const fail = (code: string) => {
    if (isOver) return;
    isOver = true;
    events.onError(code);
  };
  const tell = (event: () => void) => {
    if (!isOver) event();
  };
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.on("connect", () => tell(() => events.onConnect(socket.remoteAddress ?? "")));
  socket.on("data", (chunk: Buffer) => tell(() => events.onData(chunk)));
  socket.on("end", () => tell(() => events.onEnd()));
  socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? "EIO"));
  // Without an error only when both sides have ended.
  socket.on("close", () => {
    if (!socket.readableEnded || !socket.writableFinished) fail("ECONNRESET");
  });
  return {
    write: (bytes) => {
      socket.write(bytes, () => tell(() => events.onDrain()));
    },
    get unsentBytes() {
      return socket.writableLength;
    },
    end: () => {
      socket.end();
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    destroy: (reset) => {
      isOver = true;
      // While it is being connected, Node would put a reset off until it is.
      if (reset && !socket.connecting) resetSocket(socket);
      else socket.destroy();
    },
  };
}

/** A Unix socket, which has no address, knows no reset: it is closed. */
export function resetSocket(socket: Socket): void {
  if (socket.localAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
