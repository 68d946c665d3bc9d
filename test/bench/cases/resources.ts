import { setTimeout as sleep } from "node:timers/promises";
import { succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";
import { cpuMs, residentBytes } from "../process-usage.ts";

const SETTLE_MS = 2_000;
const IDLE_MS = 10_000;

/** Processor time of a machine's process that nobody asks anything, once its grace time is over. */
export const idleCpu: BenchCase = {
  name: "idle-cpu",
  unit: "% of a core",
  better: "less",
  async prepare(lab) {
    const ours = await lab.startOurs();
    const stock = await lab.startStock();
    return {
      async ours() {
        await succeed(ours, "echo hi");
        return idleShare(ours.pid, lab.signal);
      },
      async stock() {
        await stock.run("echo hi", { staysAwake: true });
        return idleShare(stock.pid, lab.signal);
      },
    };
  },
};

/** Processor time of a machine's process while a turn only waits. */
export const waitingCpu: BenchCase = {
  name: "waiting-cpu",
  unit: "% of a core",
  better: "less",
  async prepare(lab) {
    const ours = await lab.startOurs();
    const stock = await lab.startStock();
    const command = `sleep ${(SETTLE_MS + IDLE_MS) / 1_000 + 1}`;
    return {
      ours: () => waitingShare(succeed(ours, command), ours.pid, lab.signal),
      stock: () => waitingShare(stock.run(command), stock.pid, lab.signal),
    };
  },
};

/** Memory of a machine's process after a turn, in a process of its own each time. */
export const rss: BenchCase = {
  name: "rss",
  unit: "MB",
  better: "less",
  async prepare(lab) {
    const command = "python3 -c 'print(1)'";
    return {
      async ours() {
        const machine = await lab.startOurs();
        try {
          await succeed(machine, command);
          return residentBytes(machine.pid) / 1e6;
        } finally {
          await machine.stop();
        }
      },
      async stock() {
        const machine = await lab.startStock();
        try {
          await machine.run(command);
          return residentBytes(machine.pid) / 1e6;
        } finally {
          await machine.stop();
        }
      },
    };
  },
};

/** From a process's start to a shell that has answered, without a saved state. */
export const coldBoot: BenchCase = {
  name: "cold-boot",
  unit: "s",
  better: "less",
  async prepare(lab) {
    return {
      async ours() {
        const startMs = performance.now();
        const machine = await lab.startOurs({ fromPowerOn: true });
        try {
          await succeed(machine, ":");
          return (performance.now() - startMs) / 1_000;
        } finally {
          await machine.stop();
        }
      },
      async stock() {
        const machine = await lab.startStock({ fromPowerOn: true });
        await machine.stop();
        return machine.startMs / 1_000;
      },
    };
  },
};

/** Of a turn that has just begun, and waits for longer than is measured. */
async function waitingShare(
  turn: Promise<unknown>,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const share = await Promise.race([idleShare(pid, signal), endedEarly(turn)]);
  await turn;
  return share;
}

async function endedEarly(turn: Promise<unknown>): Promise<never> {
  await turn;
  throw new Error("the command that waits ended while it was measured");
}

async function idleShare(pid: number | undefined, signal: AbortSignal): Promise<number> {
  await sleep(SETTLE_MS, undefined, { signal });
  const startMs = performance.now();
  const before = cpuMs(pid);
  await sleep(IDLE_MS, undefined, { signal });
  return ((cpuMs(pid) - before) / (performance.now() - startMs)) * 100;
}
