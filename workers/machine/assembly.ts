import { DiskBlobStore } from "../ninep/blob-store.ts";
import { BlockPool } from "../ninep/blocks.ts";
import { Overlay } from "../ninep/overlay.ts";
import { NinePServer } from "../ninep/server.ts";
import { AskedPings } from "./asked-pings.ts";
import { ConsoleWatch } from "./console-watch.ts";
import { Emulator } from "./emulator.ts";
import { readEmulatorCode } from "./emulator-code.ts";
import { Guest } from "./guest.ts";
import { bootFiles, openImageTree } from "./image-files.ts";
import { LayeredBlobs } from "./layered-blobs.ts";
import type { MachineEvent, StartParameters } from "./messages.ts";
import { type Network, RelayNetwork } from "./network.ts";
import { Refusals } from "./refusals.ts";
import { TurnFiles } from "./turn-files.ts";

const MTU_BYTES = 1500;

export type Tell = (event: MachineEvent) => void;

/** What a machine is put together from. */
export interface Parts {
  parameters: StartParameters;
  tell: Tell;
  emulator: Emulator;
  network: Network;
  refusals: Refusals;
  pings: AskedPings;
  guest: Guest;
  overlay: Overlay;
  blobs: LayeredBlobs;
  rootServer: NinePServer;
  turnServer: NinePServer;
  diskFull: { isTold: boolean };
}

/** The PC with its file systems, its network and its guest, joined and standing still. */
export async function assemble(parameters: StartParameters, tell: Tell): Promise<Parts> {
  const { files, memoryBytes, quota } = parameters;
  const broken = (reason: string): void =>
    tell({ event: "broken", code: "GUEST_DIED", message: reason });

  const image = openImageTree(files.image);
  const boot = await bootFiles(files.image);
  const blobs = new LayeredBlobs(new DiskBlobStore(files.blobs));
  const blocks = new BlockPool({ store: blobs, scratchFolder: files.scratch });
  const overlay = new Overlay({ image, blocks, quota, now });
  const diskFull = { isTold: true };
  const rootServer = new NinePServer({
    attach: () => overlay,
    onNoSpace: () => {
      diskFull.isTold = false;
    },
  });
  const turnFiles = new TurnFiles();
  const turnServer = new NinePServer({ attach: () => turnFiles });
  const watch = new ConsoleWatch((text) => tell({ event: "console", text }), broken);
  const emulator = await Emulator.create({
    boot,
    isToBoot: files.base === null,
    code: files.base === null ? undefined : await readEmulatorCode(files.base),
    cmdline: parameters.cmdline,
    memoryBytes,
    root: (request, reply) => rootServer.handle(request, reply),
    turns: (request, reply, onCancelled) => turnServer.handle(request, reply, onCancelled),
    card: { mtuBytes: MTU_BYTES, onWork: () => network.planBatch() },
    network: parameters.network,
    onConsole: (byte) => watch.byte(byte),
    onTerminal: (bytes) => tell({ event: "terminal", bytes }),
    onBroken: broken,
    onWarning: (text) => tell({ event: "console", text }),
  });
  const refusals = new Refusals();
  const pings = new AskedPings(tell);
  const network: Network =
    parameters.network.backend === "fetch"
      ? emulator.fetchNetwork(parameters.network)
      : new RelayNetwork({
          parameters: parameters.network,
          card: emulator.card,
          mtuBytes: MTU_BYTES,
          processor: emulator,
          ping: (address) => pings.ask(address),
          onRefused: (refusal) => refusals.add(refusal),
          onFault: (error) => console.error(error),
        });
  const guest = new Guest(emulator, turnFiles);
  return {
    parameters,
    tell,
    emulator,
    network,
    refusals,
    pings,
    guest,
    overlay,
    blobs,
    rootServer,
    turnServer,
    diskFull,
  };
}

function now(): { sec: number; nsec: number } {
  const ms = Date.now();
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 };
}
