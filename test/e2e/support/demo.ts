import type { Guest } from "../../../src/cli/guest.ts";
import { dataFolderWith, type MomOptions, type RunningMom, startMom } from "../../support/mom.ts";

/** `mom demo` as a person starts it, in a data folder of its own: Redis, local Slack, app, workers. */
export interface RunningDemo {
  mom: RunningMom;
  pageUrl: string;
  dataDir: string;
  /** Ends it as Ctrl-C does; resolves with its exit status. */
  stop(): Promise<number | null>;
}

export async function startDemo(guest: Guest, args: readonly string[] = []): Promise<RunningDemo> {
  const data = dataFolderWith(guest);
  // A person's settings of a real Slack and a Redis of their own, which is not there, are nothing to the demo.
  const notForTheDemo = { REDIS_URL: "redis://127.0.0.1:1", SLACK_BOT_TOKEN: "xoxb-of-a-real-one" };
  const options: MomOptions = { env: { ...data.env, ...notForTheDemo } };
  const mom = startMom(["demo", "--no-install", "--port", "0", ...args], options);
  try {
    await mom.says(/^Mom is ready: /m);
  } catch (error) {
    data.remove();
    throw error;
  }
  const pageUrl = /^Mom is ready: (\S+)$/m.exec(mom.stdout())?.[1] ?? "";
  return {
    mom,
    pageUrl,
    dataDir: data.path,
    async stop() {
      mom.child.kill("SIGINT");
      const { status } = await mom.result;
      data.remove();
      return status;
    },
  };
}
