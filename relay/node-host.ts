import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import type { Host } from "./host.ts";
import { openDatagrams } from "./node-datagrams.ts";
import { resolveWith } from "./node-resolver.ts";
import { connectStream } from "./node-stream.ts";
import { ReadBuffers } from "./read-buffers.ts";

export interface NodeHostOptions {
  /** Asked instead of the computer's: addresses, with their port where it is not 53. */
  nameServers?: readonly string[] | undefined;
  /** Asked instead of any name server. */
  resolve?: Host["resolve"];
  /** Pings outside are sent by it, such as `ping` of the system; without, they are refused. */
  ping?: Host["ping"];
}

/** The computer that this process runs on. */
export function nodeHost(options: NodeHostOptions = {}): Host {
  const buffers = new ReadBuffers();
  return {
    nowMs: () => performance.now(),
    setTimer: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    soon: (callback) => {
      setImmediate(callback);
    },
    random32: () => randomInt(2 ** 32),
    ownAddresses: () =>
      Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ family }) => family === "IPv4")
        .map(({ address }) => address),
    connectTcp: (target, events) => connectStream(target, buffers, events),
    openUdp: openDatagrams,
    resolve: options.resolve ?? resolveWith(options.nameServers),
    ...(options.ping === undefined ? {} : { ping: options.ping }),
  };
}
