import type { SandboxState } from "../../../workers/machine/api.ts";
import type { Lab } from "../lab.ts";
import { succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";

const PYTHON = "python3 -c 'print(1)'";
const NODE = "node -e 1";
/** What the two threads have done before: each has pages and files of its own. */
const history = (thread: string) => `${PYTHON}; echo ${thread} >thread; name=${thread}`;

/** A shell that answers it is ready for a command. */
const NOTHING = ":";

/** From a thread that was just busy to another: until the shell of that one has answered. */
export const resume: BenchCase = {
  name: "resume",
  unit: "ms",
  better: "less",
  async prepare(lab) {
    const ours = await twoThreads(lab);
    const stock = await twoStockThreads(lab);
    return {
      async ours() {
        await succeed(ours.machine, "echo hi");
        const startMs = performance.now();
        await ours.switch();
        await succeed(ours.machine, NOTHING);
        return performance.now() - startMs;
      },
      async stock() {
        await stock.machine.run("echo hi");
        const switchMs = await stock.switch();
        return switchMs + (await stock.machine.run(NOTHING)).ms;
      },
    };
  },
};

export const pythonAfterResume = commandAfterResume({
  name: "python-after-resume",
  command: PYTHON,
  warmUps: 2,
  stockWarmUps: 1,
});

export const nodeAfterResume = commandAfterResume({
  name: "node-after-resume",
  command: NODE,
  warmUps: 1,
  // It would take half a minute and change nothing: `restore_state` throws compiled code away.
  stockWarmUps: 0,
});

/**
 * A command's time right after a switch, in a process that ran it before: a worker serves thread after thread, and
 * what its machine keeps compiled over a switch counts.
 */
function commandAfterResume(options: {
  name: string;
  command: string;
  warmUps: number;
  stockWarmUps: number;
}): BenchCase {
  const { name, command } = options;
  return {
    name,
    unit: "ms",
    better: "less",
    async prepare(lab) {
      const ours = await twoThreads(lab);
      for (let i = 0; i < options.warmUps; i++) await succeed(ours.machine, command);
      const stock = await twoStockThreads(lab);
      for (let i = 0; i < options.stockWarmUps; i++) await stock.machine.run(command);
      return {
        async ours() {
          await ours.switch();
          const startMs = performance.now();
          await succeed(ours.machine, command);
          return performance.now() - startMs;
        },
        async stock() {
          await stock.switch();
          return (await stock.machine.run(command)).ms;
        },
      };
    },
  };
}

async function twoThreads(lab: Lab) {
  const machine = await lab.startOurs({ isWarm: true });
  const states: SandboxState[] = [];
  for (const thread of ["a", "b"]) {
    await machine.reset();
    await succeed(machine, history(thread));
    states.push(await machine.save());
  }
  let turn = 0;
  return {
    machine,
    async switch(): Promise<void> {
      const state = states[turn++ % states.length];
      if (state === undefined) throw new Error("there are two threads");
      await machine.load(state);
    },
  };
}

async function twoStockThreads(lab: Lab) {
  const machine = await lab.startStock();
  const threads = ["a", "b"];
  await machine.call("save", { name: "base" });
  for (const name of threads) {
    await machine.call("restore", { name: "base" });
    await machine.run(history(name));
    await machine.call("save", { name });
  }
  let turn = 0;
  return {
    machine,
    async switch(): Promise<number> {
      const name = threads[turn++ % threads.length] ?? "a";
      return (await machine.call("restore", { name })).ms;
    },
  };
}
