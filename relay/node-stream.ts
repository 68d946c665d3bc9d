import { connect, type Socket } from "node:net";
import type { HostStream, HostTarget, StreamEvents } from "./host.ts";
import { type ReadBuffers, StreamReader } from "./read-buffers.ts";

/** After this long without a word the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 60_000;

/** A stream to somewhere else, whose reads go into buffers that are used again. */
export function connectStream(
  { address, port }: HostTarget,
  buffers: ReadBuffers,
  events: StreamEvents,
): HostStream {
  const reader = new StreamReader(buffers);
  const socket = connect({
    host: address,
    port,
    family: 4,
    allowHalfOpen: true,
    onread: {
      buffer: () => reader.next(),
      callback: (length) => {
        const { bytes, release } = reader.received(length);
        told.onData(bytes, release);
        return true;
      },
    },
  });
  const told = streamOn(socket, events);
  // Not before: until then the system may still read into its buffer.
  socket.on("close", () => reader.close());
  // Or it would not say that the other side has ended.
  socket.resume();
  return told.stream;
}

/** A stream over a socket of Node's, made with `allowHalfOpen` and connected. */
export function streamOf(socket: Socket, events: StreamEvents): HostStream {
  const { stream, onData } = streamOn(socket, events);
  socket.on("data", (chunk: Buffer) => onData(chunk));
  return stream;
}

/** A stream over a socket, and where to tell what it reads. */
function streamOn(
  socket: Socket,
  events: StreamEvents,
): { stream: HostStream; onData: StreamEvents["onData"] } {
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
  socket.on("end", () => tell(() => events.onEnd()));
  socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? "EIO"));
  // Without an error only when both sides have ended.
  socket.on("close", () => {
    if (!socket.readableEnded || !socket.writableFinished) fail("ECONNRESET");
  });
  const onData: StreamEvents["onData"] = (bytes, release) => {
    if (isOver) release?.();
    else events.onData(bytes, release);
  };
  const stream: HostStream = {
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
  return { stream, onData };
}

/** A Unix socket, which has no address, knows no reset: it is closed. */
export function resetSocket(socket: Socket): void {
  if (socket.localAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
