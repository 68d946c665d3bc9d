import { startParameters } from "../../../src/cli/guest.ts";
import { createApp, type SlackApp } from "../../../src/slack/index.ts";
import { Machine } from "../../../workers/machine/machine.ts";
import { testGuest } from "../../support/guest.ts";
import type { SeenMessage } from "../../support/slack-user.ts";
import { blockText, Harness } from "../../worker/harness.ts";

/** A machine has a whole core to itself, if it is lucky. */
export const ANSWER_WITHIN_MS = 120_000;

/** A local Slack without rate limits, the app, and workers with real guests, as `mom demo` composes them. */
export class World {
  readonly harness: Harness;
  readonly #app: SlackApp;

  private constructor(harness: Harness, app: SlackApp) {
    this.harness = harness;
    this.#app = app;
  }

  /** `prepare` is told the data folder before anything is in it. */
  static async start(options: {
    workers: number;
    prepare?: (dataDir: string) => void;
  }): Promise<World> {
    const harness = await Harness.start();
    options.prepare?.(harness.config.machine.dataDir);
    // Little, so that filling it is soon done.
    harness.config.machine.diskQuotaMb = 16;
    const { botToken, appToken } = harness.slack.workspace.config.app;
    const app = createApp({
      config: {
        access: {},
        slack: { botToken, apiUrl: harness.slack.apiUrl, transport: { kind: "socket", appToken } },
      },
      queue: harness.queue,
      log: harness.logger,
      onFatal: (error) => harness.logger.fatal({ err: error }, "the app ended"),
    });
    const world = new World(harness, app);
    await app.start();
    await Promise.all(Array.from({ length: options.workers }, () => world.startWorker()));
    return world;
  }

  get you() {
    return this.harness.you;
  }

  async startWorker(): Promise<void> {
    const guest = await testGuest();
    const startMachine = () => Machine.start(startParameters(this.harness.config.machine, guest));
    // The queue's own times: a busy computer is not a worker that is gone.
    await this.harness.worker({ startMachine, timing: {} });
  }

  /** A message that starts a thread with this command. */
  say(command: string): Promise<SeenMessage> {
    return this.you.say("general", `@mom ${command}`);
  }

  reply(to: SeenMessage, command: string): Promise<SeenMessage> {
    return this.you.reply(to, `@mom ${command}`);
  }

  /** The thread's answers, as text, once there are so many and all are final. */
  async answers(of: SeenMessage, count: number): Promise<string[]> {
    const final = () => this.harness.answers(of).filter((message) => isFinal(blockText(message)));
    await this.you.waitForReply(of, () => final().length >= count, ANSWER_WITHIN_MS);
    return this.harness.answers(of).map((message) => blockText(message));
  }

  /** The answer to the thread's first command. */
  async answer(of: SeenMessage): Promise<string> {
    const [text = ""] = await this.answers(of, 1);
    return text;
  }

  async close(): Promise<void> {
    await this.#app.stop();
    await this.harness.close();
  }
}

function isFinal(text: string): boolean {
  return /^(?:✓|✗|⚠|⏱|✂|■)/m.test(text);
}
