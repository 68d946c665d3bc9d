import type { BenchCase } from "../measure.ts";

const PYTHON = "python3 -c 'print(1)'";

/**
 * The same stock machine under different settings of V8, each against V8's defaults: the first Python of a fresh
 * process, and the sixth.
 */
export const v8Flags: readonly BenchCase[] = [
  { setting: "liftoff-only", execArgv: ["--liftoff-only"], twoPhase: false },
  { setting: "two-phase", execArgv: [], twoPhase: true },
].flatMap(({ setting, ...options }) =>
  [
    { nth: "first", repeats: 1 },
    { nth: "sixth", repeats: 6 },
  ].map(
    ({ nth, repeats }): BenchCase => ({
      name: `v8-flags ${setting}, ${nth} python`,
      unit: "ms",
      better: "less",
      async prepare(lab) {
        const python = async (how: typeof options): Promise<number> => {
          const machine = await lab.startStock(how);
          let ms = 0;
          for (let i = 0; i < repeats; i++) ({ ms } = await machine.run(PYTHON));
          await machine.stop();
          return ms;
        };
        return {
          ours: () => python(options),
          stock: () => python({ execArgv: [], twoPhase: false }),
        };
      },
    }),
  ),
);
