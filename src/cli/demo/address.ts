import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const demoAddress = z.object({ pid: z.number().int(), pageUrl: z.string(), redisUrl: z.string() });
export type DemoAddress = z.infer<typeof demoAddress>;

/** Where a running demo tells how it is to be reached. Holds Redis's password. */
export function demoFile(dataDir: string): string {
  return join(dataDir, "demo", "address.json");
}

/** The demo that runs with this data folder, if one does. */
export function runningDemo(dataDir: string): DemoAddress | undefined {
  try {
    const address = demoAddress.parse(JSON.parse(readFileSync(demoFile(dataDir), "utf8")));
    process.kill(address.pid, 0);
    return address;
  } catch {
    return undefined;
  }
}
