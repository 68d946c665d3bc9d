export type SideName = "ours" | "stock";

/** What runs in a process of its own. */
export interface Runner {
  readonly pid: number | undefined;
  /** Its process has ended; the number may be another's by now. */
  readonly isDead: boolean;
}

/**
 * Has the processes of one side stand still while the other runs: a v86 with nothing to do takes a quarter of a core, and
 * V8 goes on for seconds to optimise what has run.
 */
export class Standstill {
  readonly #runners: { side: SideName; runner: Runner }[] = [];

  add(side: SideName, runner: Runner): void {
    this.#runners.push({ side, runner });
  }

  only(side: SideName): void {
    for (const one of this.#runners) signal(one.runner, one.side === side ? "SIGCONT" : "SIGSTOP");
  }

  end(): void {
    for (const { runner } of this.#runners) signal(runner, "SIGCONT");
  }
}

function signal({ pid, isDead }: Runner, name: NodeJS.Signals): void {
  if (pid !== undefined && !isDead) process.kill(pid, name);
}
