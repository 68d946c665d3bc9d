import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { type LocalSlack, startSlack } from "../../../demo/index.ts";
import { demoEnvironment } from "../../../src/cli/demo/environment.ts";
import { Part } from "../../../src/cli/services/part.ts";
import { saysReady } from "../../../src/cli/services/ready.ts";
import { startRedis } from "../../../src/cli/services/redis.ts";
import { workspaceWithMom } from "../../../src/cli/workspace.ts";
import { type JournalEntry, TurnQueue } from "../../../src/queue/index.ts";
import { type SeenMessage, SlackUser } from "../../support/slack-user.ts";
import { BenchError } from "../errors.ts";
import type { Lab } from "../lab.ts";
import type { BenchCase } from "../measure.ts";

const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** Slack takes a message a second in a channel, and the local one does as Slack does. */
const PAUSE_MS = 1_200;

/**
 * All of Mom but slack.com: Redis, app and worker in processes of their own, the local Slack in this one. From the
 * moment when Slack has a person's message, in another thread than the one before, to the answer in that thread, which
 * is our first call for a quick command; less the time of the command itself.
 */
export const turnOverhead: BenchCase = {
  name: "turn-overhead",
  unit: "ms",
  better: "less",
  async prepare(lab) {
    const { slack, you, queue } = await startMom(lab);
    const ask = async (command: string, root?: SeenMessage): Promise<Asked> => {
      const answer = nextAnswer(slack, you, root);
      const text = `@mom ${command}`;
      const message = await (root ? you.reply(root, text) : you.say("general", text));
      const ms = await answer;
      const { durationMs } = await journalEntry(queue, slack, message);
      return { message, overheadMs: ms - durationMs };
    };
    const threads = [await ask("echo a"), await ask("echo b")];
    let turn = 0;
    return {
      async ours() {
        await sleep(PAUSE_MS, undefined, { signal: lab.signal });
        const thread = threads[turn++ % threads.length];
        return (await ask("echo hi", thread?.message)).overheadMs;
      },
    };
  },
};

interface Asked {
  message: SeenMessage;
  overheadMs: number;
}

/** From the person's next message to the app's next one, in a thread if it is told. */
function nextAnswer(slack: LocalSlack, you: SlackUser, root?: SeenMessage): Promise<number> {
  return new Promise((resolve, reject) => {
    let askedMs: number | undefined;
    const timer = setTimeout(() => {
      stopListening();
      reject(new BenchError("COMMAND_FAILED", `no answer came in ${ANSWER_TIMEOUT_MS / 1_000} s`));
    }, ANSWER_TIMEOUT_MS);
    const stopListening = slack.workspace.onChange((change) => {
      if (change.kind !== "message_posted") return;
      const { user, thread_ts: threadTs } = change.message;
      if (root !== undefined && threadTs !== root.ts) return;
      if (user === you.userId) askedMs = performance.now();
      if (user !== you.appUserId || askedMs === undefined) return;
      clearTimeout(timer);
      stopListening();
      resolve(performance.now() - askedMs);
    });
  });
}

/** The line that the turn of a message has in the journal, once it is over. */
async function journalEntry(
  queue: TurnQueue,
  slack: LocalSlack,
  { channel, ts, thread_ts: threadTs = ts }: SeenMessage,
): Promise<JournalEntry> {
  const thread = { teamId: slack.workspace.config.team.id, channelId: channel, threadTs };
  for (let waitedMs = 0; waitedMs < ANSWER_TIMEOUT_MS; waitedMs += POLL_MS) {
    const entry = (await queue.journal(thread)).find(({ messageTs }) => messageTs === ts);
    if (entry !== undefined) return entry;
    await sleep(POLL_MS);
  }
  throw new BenchError("COMMAND_FAILED", "the turn did not come to its end");
}

async function startMom(lab: Lab) {
  const slack = await startSlack({ workspace: workspaceWithMom(lab.root, {}) });
  lab.onClose(() => slack.close());
  const logs = await lab.makeFolder("logs");
  const redis = await startRedis({
    folder: await lab.makeFolder("redis"),
    logPath: join(logs, "redis.log"),
    env: lab.env,
    signal: lab.signal,
  });
  lab.onClose(() => redis.part.stop());
  // The guest is there already; threads are this bench's own.
  const { base, image } = lab.guest;
  await symlink(join(base.dir, ".."), join(lab.folder, "bases"));
  const { botToken, appToken } = slack.workspace.config.app;
  const env = demoEnvironment(lab.env, {
    SLACK_BOT_TOKEN: botToken,
    SLACK_APP_TOKEN: appToken,
    SLACK_API_URL: slack.apiUrl,
    REDIS_URL: redis.url,
    MOM_DATA_DIR: lab.folder,
    MOM_IMAGE: image.dir,
  });
  for (const name of ["worker", "app"]) {
    const part = await Part.start(
      {
        name,
        command: process.execPath,
        args: [join(lab.root, "src", "cli", "main.js"), name],
        env,
        ipc: true,
        logPath: join(logs, `${name}.log`),
        ready: saysReady,
        readyTimeoutMs: READY_TIMEOUT_MS,
        stopTimeoutMs: STOP_TIMEOUT_MS,
      },
      lab.signal,
    );
    lab.onClose(() => part.stop());
  }
  const queue = new TurnQueue({
    redisUrl: redis.url,
    prefix: "mom",
    log: pino({ level: "silent" }),
  });
  lab.onClose(() => queue.close());
  const you = await SlackUser.open(slack);
  lab.onClose(() => you.close());
  return { slack, queue, you };
}
