import { defineConfig } from "vitest/config";

// Three kinds of test, told apart by their file name:
//   *.test.ts      unit: no service, no guest
//   *.int.test.ts  integration: a private Redis, sockets on loopback, headless Chromium
//   *.e2e.test.ts  a real guest: image and base of the data folder, which `./mom test` builds (test/support/guest.ts)
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.int.test.ts", "test/**/*.e2e.test.ts"],
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/**/*.int.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.e2e.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // A guest takes a whole core: two machines at once would only slow each other down.
          fileParallelism: false,
        },
      },
    ],
  },
});
