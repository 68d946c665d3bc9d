import { type App, type Receiver, SocketModeReceiver } from "@slack/bolt";
import type { Log } from "../queue/index.ts";
import type { SlackAppError } from "./errors.ts";
import { boltLogger } from "./logger.ts";
import { startError } from "./slack-errors.ts";

export interface SocketReceiverOptions {
  appToken: string;
  apiUrl: string;
  log: Log;
  /** Slack does not want this app any more; there is no use in trying again. */
  onFatal(error: SlackAppError): void;
}

const CONNECT_TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 20_000;

/**
 * Socket Mode with reconnects of our own: at once when Slack recycles a connection, then with growing pauses
 * for as long as it takes. Bolt's own wait five seconds each time, and end in an unhandled rejection when
 * `apps.connections.open` is refused or cannot be reached (`SocketModeClient.delayReconnectAttempt`).
 */
export class SocketReceiver implements Receiver {
  readonly #options: SocketReceiverOptions;
  readonly #inner: SocketModeReceiver;
  #state: "stopped" | "connecting" | "connected" = "stopped";
  #pause: { end(): void } | undefined;

  constructor(options: SocketReceiverOptions) {
    const { appToken, apiUrl, log } = options;
    this.#options = options;
    this.#inner = new SocketModeReceiver({
      appToken,
      logger: boltLogger(log),
      autoReconnectEnabled: false,
      installerOptions: {
        clientOptions: {
          slackApiUrl: apiUrl,
          timeout: CONNECT_TIMEOUT_MS,
          retryConfig: { retries: 1 },
        },
      },
      // The listener has logged what is wrong; without an acknowledgement Slack delivers again.
      processEventErrorHandler: async () => false,
    });
    this.#inner.client.on("disconnected", () => void this.#reconnect());
  }

  init(app: App): void {
    this.#inner.init(app);
  }

  /** Throws `SlackAppError`. */
  async start(): Promise<void> {
    this.#state = "connecting";
    try {
      await this.#connect();
    } catch (error) {
      this.#state = "stopped";
      throw startError(error, "SLACK_APP_TOKEN", this.#options.apiUrl);
    }
    this.#state = "connected";
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#pause?.end();
    await this.#inner.stop();
  }

  async #connect(): Promise<void> {
    const { client } = this.#inner;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no greeting in ${CONNECT_TIMEOUT_MS / 1_000} s`));
        void client.disconnect();
      }, CONNECT_TIMEOUT_MS);
    });
    try {
      await Promise.race([client.start().catch(refusedHandshake), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #reconnect(): Promise<void> {
    if (this.#state !== "connected") return;
    this.#state = "connecting";
    for (let attempt = 0; this.#isConnecting; attempt += 1) {
      if (attempt > 0) {
        await this.#wait(Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LAST_RETRY_MS));
      }
      if (!this.#isConnecting) return;
      try {
        await this.#connect();
        if (this.#isConnecting) this.#state = "connected";
        else await this.#inner.stop();
        if (attempt > 0) this.#options.log.info({ attempt }, "Slack is connected again");
        return;
      } catch (error) {
        const failure = startError(error, "SLACK_APP_TOKEN", this.#options.apiUrl);
        if (failure.code === "SLACK_REFUSED") {
          this.#state = "stopped";
          this.#options.onFatal(failure);
          return;
        }
        this.#options.log.warn({ attempt, reason: failure.message }, "Slack is away; trying again");
      }
    }
  }

  /** Read anew each time: `stop` may have been called during any wait. */
  get #isConnecting(): boolean {
    return this.#state === "connecting";
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pause = undefined;
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      this.#pause = { end };
    });
  }
}

/** The client rejects with nothing when the socket closes before Slack's greeting. */
function refusedHandshake(error: unknown): never {
  throw error ?? new Error("the connection was closed before Slack's greeting");
}
