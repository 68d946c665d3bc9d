import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";
import { networkConfig, type WorkerConfig } from "../../src/config/index.ts";
import {
  DIRECT_MESSAGE_THREAD,
  type JournalEntry,
  type Turn,
  TurnQueue,
} from "../../src/queue/index.ts";
import { type RunningWorker, startWorker, type WorkerOptions } from "../../workers/worker.ts";
import { HostMachine } from "../support/host-machine.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { type SeenMessage, SlackUser } from "../support/slack-user.ts";
import { quickTiming } from "./timing.ts";

/** Redis, a local Slack with a person in it, a queue, and workers on demand: all but the app and the emulator. */
export class Harness {
  readonly slack: LocalSlack;
  readonly you: SlackUser;
  readonly queue: TurnQueue;
  readonly config: WorkerConfig;
  readonly logLines: string[] = [];
  readonly machines: HostMachine[] = [];
  readonly redis: TestRedis;
  readonly #workers: RunningWorker[] = [];

  private constructor(redis: TestRedis, slack: LocalSlack, you: SlackUser, dataDir: string) {
    this.redis = redis;
    this.slack = slack;
    this.you = you;
    const queue = { redisUrl: redis.url, prefix: `t-${randomUUID().slice(0, 8)}` };
    this.queue = new TurnQueue({ ...queue, log: this.logger });
    this.config = {
      slack: { botToken: slack.workspace.config.app.botToken, apiUrl: slack.apiUrl },
      queue,
      machine: {
        dataDir,
        image: "auto",
        memoryMb: 256,
        diskQuotaMb: 64,
        turnTimeoutMs: 30_000,
        turnMaxOutputBytes: 4 * 1024 * 1024,
        network: networkConfig({}),
        logLevel: "debug",
      },
      store: { kind: "disk" },
      graceMs: 0,
      threadTtlMs: 30 * 24 * 60 * 60_000,
      warmUp: false,
      workerId: undefined,
      logLevel: "debug",
    };
  }

  static async start(): Promise<Harness> {
    const redis = await startRedis();
    const workspace = createWorkspaceConfig({ rateLimits: false, app: { botName: "mom" } });
    const slack = await startSlack({ workspace });
    const dataDir = await mkdtemp(join(tmpdir(), "mom-worker-"));
    const harness = new Harness(redis, slack, await SlackUser.open(slack), dataDir);
    await harness.queue.ready();
    return harness;
  }

  get logger(): Logger {
    return pino({ level: "debug" }, { write: (line) => void this.logLines.push(line) });
  }

  async worker(options: Partial<WorkerOptions> = {}): Promise<RunningWorker> {
    const worker = await startWorker({
      config: { ...this.config, workerId: `w-${randomUUID().slice(0, 8)}` },
      logger: this.logger,
      startMachine: () => this.startMachine(),
      timing: quickTiming,
      ...options,
    });
    this.#workers.push(worker);
    return worker;
  }

  async startMachine(): Promise<HostMachine> {
    const machine = await HostMachine.start();
    this.machines.push(machine);
    return machine;
  }

  /** A message that starts a thread, without a turn. */
  root(text = "a thread"): Promise<SeenMessage> {
    return this.you.say("general", text);
  }

  /** Say a command in a thread and put its turn into the queue, as the app does. */
  async command(
    root: SeenMessage,
    command: string,
    changes: Partial<Turn> & { files?: { name: string; bytes: Uint8Array }[] } = {},
  ): Promise<Turn> {
    const { files, ...rest } = changes;
    const message = await this.you.reply(root, command, files ? { files } : {});
    return this.#submit(message, root.ts, command, rest);
  }

  /** The same at the top level of the direct message. */
  async direct(
    command: string,
    changes: Partial<Turn> = {},
  ): Promise<{ message: SeenMessage; turn: Turn }> {
    const message = await this.you.dm(command);
    return { message, turn: await this.#submit(message, DIRECT_MESSAGE_THREAD, command, changes) };
  }

  async #submit(
    message: SeenMessage,
    threadTs: string,
    command: string,
    changes: Partial<Turn>,
  ): Promise<Turn> {
    const teamId = this.slack.workspace.config.team.id;
    const turn: Turn = {
      id: `${teamId}-${message.channel}-${message.ts}`,
      thread: { teamId, channelId: message.channel, threadTs },
      userId: message.user,
      messageTs: message.ts,
      command,
      language: "bash",
      attachments: (message.files ?? []).map(({ id, name, size, url_private_download: url }) => ({
        id,
        name,
        size,
        url,
      })),
      receivedAtMs: Date.now(),
      ...changes,
    };
    await this.queue.submit(turn);
    return turn;
  }

  /** The turn's line in the journal, once it is closed. */
  async closed(turn: Turn, timeoutMs = 30_000): Promise<JournalEntry> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const entry = (await this.queue.journal(turn.thread)).find(
        ({ turnId }) => turnId === turn.id,
      );
      if (entry) return entry;
      if (Date.now() > until) {
        throw new Error(`${turn.command} did not end.\n${this.you.transcript()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What the bot says in a thread now, oldest first. */
  answers(root: SeenMessage): SeenMessage[] {
    return this.you.thread(root).filter(({ user }) => user === this.you.appUserId);
  }

  /** Run one command to its end and give the messages it led to. */
  async ask(
    root: SeenMessage,
    command: string,
    changes: Parameters<Harness["command"]>[2] = {},
  ): Promise<{ messages: SeenMessage[]; entry: JournalEntry }> {
    const before = new Set(this.answers(root).map(({ ts }) => ts));
    const entry = await this.closed(await this.command(root, command, changes));
    await this.#seen();
    return { messages: this.answers(root).filter(({ ts }) => !before.has(ts)), entry };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close({ deadlineMs: 1_000 })));
    await this.queue.close();
    await this.you.close();
    await this.slack.close();
    await this.redis.stop();
    await rm(this.config.machine.dataDir, { recursive: true, force: true });
  }

  /** What the server did reaches the person a moment later: a message of their own is seen after it. */
  async #seen(): Promise<void> {
    await this.you.say("general", "(still here)");
  }
}

/** All text of a message's blocks, as Slack was sent it. */
export function blockText(message: SeenMessage | undefined): string {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) collect(item);
    else if (typeof value === "object" && value !== null) {
      if ("type" in value && value.type === "mrkdwn" && "text" in value) {
        texts.push(String(value.text));
      } else for (const item of Object.values(value)) collect(item);
    }
  };
  collect(message?.blocks);
  return texts.join("\n");
}
