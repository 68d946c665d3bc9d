import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take longest: begun first, so that none of them is what all others wait for at the end. Those from `limits`
 * to `demo` wait more than they compute, and so are left for when a third guest works beside them (test/run).
 */
const LONGEST = [
  "guest",
  "differential",
  "filesystem",
  "hostile",
  "written-pages",
  "run",
  "node-start",
  "sandbox",
  "files",
  "shell",
  "attacks",
  "streams",
  "randomness",
  "limits",
  "bad-input",
  "process",
  "demo",
  "moving",
  "full-path",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const known = LONGEST.indexOf(basename(moduleId).replace(/\..*/, ""));
      return known < 0 ? LONGEST.length : known;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

/** What is waited for comes in milliseconds, or in seconds where the computer is busy: one is vitest's own limit. */
const expectations = { poll: { timeout: 30_000 } };

/** From Slack to Slack. */
const WHOLE_PATH = ["test/e2e/*.e2e.test.ts", "test/worker/{faults,grace}.e2e.test.ts"];
const endToEnd = {
  expect: expectations,
  testTimeout: 500_000,
  hookTimeout: 240_000,
  isolate: false,
};

// Nothing is done at import and no module has state: `isolate: false` loads each once a worker, not once a file.
//
// Three kinds of test, told apart by their file name:
//   *.test.ts      unit: no service, no guest
//   *.int.test.ts  integration: a private Redis, sockets on loopback, headless Chromium
//   *.e2e.test.ts  a real guest: image and base of the data folder, which `./mom test` builds (test/support/guest.ts)
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          expect: expectations,
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.int.test.ts", "test/**/*.e2e.test.ts"],
          isolate: false,
        },
      },
      {
        test: {
          name: "integration",
          expect: expectations,
          include: ["test/**/*.int.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          isolate: false,
          // Beside the guests, which leave a processor no pause.
          maxWorkers: Math.max(1, availableParallelism() - 1),
        },
      },
      {
        test: {
          ...endToEnd,
          name: "e2e",
          include: ["test/**/*.e2e.test.ts"],
          exclude: WHOLE_PATH,
          // A guest takes a core while it works, and more of them than cores lose more than is gained when one waits.
          maxWorkers: availableParallelism(),
        },
      },
      {
        // Beside the others, once the quick kinds are over (test/run).
        test: { ...endToEnd, name: "e2e-slack", include: WHOLE_PATH, maxWorkers: 1 },
      },
    ],
  },
});
