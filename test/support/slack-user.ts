/**
 * A person in Slack without a browser: drives the local Slack through the page's own requests, so that it works
 * the same against a server in this process and one in another.
 */

export interface SeenMessage {
  ts: string;
  text: string;
  user: string;
  channel: string;
  subtype?: string;
  bot_id?: string;
  thread_ts?: string;
  edited?: { user: string; ts: string };
  is_ephemeral?: true;
  blocks?: { type: string; block_id?: string; [field: string]: unknown }[];
  files?: {
    id: string;
    name: string;
    size: number;
    mimetype: string;
    url_private_download: string;
  }[];
  reactions?: { name: string; users: string[]; count: number }[];
}

export interface SentFile {
  name: string;
  bytes: Uint8Array;
}

interface PageState {
  me: string;
  channels: { id: string; name: string; kind: "channel" | "im"; members: string[] }[];
  users: { id: string; name: string }[];
  app: { userId: string; name: string };
  messages: Record<string, Omit<SeenMessage, "channel">[]>;
}

interface Waiting {
  predicate(message: SeenMessage): boolean;
  resolve(message: SeenMessage): void;
}

const DEFAULT_TIMEOUT_MS = 15_000;

/**
 * @example
 * const you = await SlackUser.open(slack);
 * const root = await you.say("general", "@mom echo hi");
 * const reply = await you.waitForReply(root, (message) => message.text.includes("hi"));
 * await you.close();
 */
export class SlackUser {
  readonly #pageUrl: string;
  readonly #cookie: string;
  readonly #stream: AbortController;
  readonly #seen = new Map<string, SeenMessage>();
  readonly #waiting = new Set<Waiting>();
  #state: PageState;

  private constructor(pageUrl: string, cookie: string, stream: AbortController, state: PageState) {
    this.#pageUrl = pageUrl;
    this.#cookie = cookie;
    this.#stream = stream;
    this.#state = state;
    for (const [channel, messages] of Object.entries(state.messages)) {
      for (const message of messages) this.#see({ ...message, channel });
    }
  }

  /** `name` is a user's name or id; the workspace's first person without. */
  static async open(slack: { pageUrl: string }, name = ""): Promise<SlackUser> {
    const page = await fetch(slack.pageUrl);
    await page.body?.cancel();
    const cookie = page.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
    const stream = new AbortController();
    const url = new URL(`/_page/events?user=${encodeURIComponent(name)}`, slack.pageUrl);
    const response = await fetch(url, { headers: { Cookie: cookie }, signal: stream.signal });
    if (!response.ok || !response.body) {
      throw new Error(`The page's events answered ${response.status}: ${await response.text()}`);
    }
    const events = readEvents(response.body);
    const first = await events.next();
    if (first.done) throw new Error("The page's events ended before they began.");
    const user = new SlackUser(slack.pageUrl, cookie, stream, first.value as unknown as PageState);
    void user.#follow(events);
    return user;
  }

  get userId(): string {
    return this.#state.me;
  }

  /** The app's user (`U…`), as messages name it. */
  get appUserId(): string {
    return this.#state.app.userId;
  }

  /** Types a message, exactly as into the composer: `@name`, links, fences. `channel` is a name, `#name` or id. */
  async say(
    channel: string,
    text: string,
    options: { threadTs?: string; files?: SentFile[] } = {},
  ): Promise<SeenMessage> {
    const channelId = this.channelId(channel);
    const form = new FormData();
    form.set("user", this.userId);
    form.set("channel", channelId);
    form.set("text", text);
    if (options.threadTs) form.set("thread_ts", options.threadTs);
    for (const file of options.files ?? []) {
      form.append("files", new Blob([Uint8Array.from(file.bytes)]), file.name);
    }
    const { ts } = (await this.#act("say", form)) as { ts: string };
    return this.waitFor((message) => message.channel === channelId && message.ts === ts);
  }

  /** A message to the app alone. */
  dm(text: string, options: { threadTs?: string; files?: SentFile[] } = {}): Promise<SeenMessage> {
    return this.say(this.directMessageId(), text, options);
  }

  /** Answers in the thread of a message. */
  reply(to: SeenMessage, text: string, options: { files?: SentFile[] } = {}): Promise<SeenMessage> {
    return this.say(to.channel, text, { ...options, threadTs: to.thread_ts ?? to.ts });
  }

  /** `slash("/name some text")`; resolves when the app has acknowledged, or Slack has given up. */
  async slash(text: string, channel = "general"): Promise<void> {
    await this.#act("slash", { user: this.userId, channel: this.channelId(channel), text });
  }

  /** Clicks the button with this label or `action_id`. */
  async click(message: SeenMessage, button: string): Promise<void> {
    const found = (message.blocks ?? [])
      .flatMap((block) =>
        [...(Array.isArray(block.elements) ? block.elements : []), block.accessory].map(
          (element) => ({
            block_id: block.block_id,
            element: element as ButtonElement | undefined,
          }),
        ),
      )
      .find(
        ({ element }) =>
          element?.type === "button" &&
          (element.action_id === button || element.text?.text === button),
      );
    if (!found) throw new Error(`The message ${message.ts} has no button ${button}.`);
    await this.#act("click", {
      user: this.userId,
      channel: message.channel,
      ts: message.ts,
      block_id: found.block_id,
      action_id: found.element?.action_id,
    });
  }

  async edit(message: SeenMessage, text: string): Promise<void> {
    const { channel, ts } = message;
    await this.#act("edit", { user: this.userId, channel, ts, text });
  }

  async delete(message: SeenMessage): Promise<void> {
    await this.#act("delete", { user: this.userId, channel: message.channel, ts: message.ts });
  }

  async react(message: SeenMessage, name: string): Promise<void> {
    const { channel, ts } = message;
    await this.#act("react", { user: this.userId, channel, ts, name });
  }

  /** The client's own stop button, on a thread whose agent session is processing. */
  async stop(message: SeenMessage): Promise<void> {
    const thread_ts = message.thread_ts ?? message.ts;
    await this.#act("stop", { user: this.userId, channel: message.channel, thread_ts });
  }

  /** Everything seen so far, oldest first, as it looks now. */
  messages(channel?: string): SeenMessage[] {
    const id = channel === undefined ? undefined : this.channelId(channel);
    return [...this.#seen.values()]
      .filter((message) => id === undefined || message.channel === id)
      .sort((a, b) => Number(a.ts) - Number(b.ts));
  }

  thread(of: SeenMessage): SeenMessage[] {
    const rootTs = of.thread_ts ?? of.ts;
    return this.messages(of.channel).filter(
      (message) => message.ts === rootTs || message.thread_ts === rootTs,
    );
  }

  /** The first message, present or to come, in its present or a later wording, that fits. */
  waitFor(
    predicate: (message: SeenMessage) => boolean,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<SeenMessage> {
    const present = this.messages().find(predicate);
    if (present) return Promise.resolve(present);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new Error(`No such message in ${timeoutMs} ms. Seen:\n${this.transcript()}`));
      }, timeoutMs);
      const waiting: Waiting = {
        predicate,
        resolve: (message) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve(message);
        },
      };
      this.#waiting.add(waiting);
    });
  }

  /** Something the app says in the thread of a message. */
  waitForReply(
    to: SeenMessage,
    predicate: (message: SeenMessage) => boolean = () => true,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<SeenMessage> {
    const rootTs = to.thread_ts ?? to.ts;
    return this.waitFor(
      (message) =>
        message.channel === to.channel &&
        message.thread_ts === rootTs &&
        message.ts !== to.ts &&
        message.user === this.appUserId &&
        predicate(message),
      timeoutMs,
    );
  }

  async download(file: { url_private_download: string }): Promise<Uint8Array> {
    const response = await fetch(file.url_private_download, { headers: { Cookie: this.#cookie } });
    if (!response.ok) throw new Error(`The download answered ${response.status}.`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** All that was said, for the message of a failing test. */
  transcript(): string {
    const names = new Map(this.#state.users.map((user) => [user.id, user.name]));
    return this.messages()
      .map((message) => {
        const indent = message.thread_ts && message.thread_ts !== message.ts ? "    " : "";
        const who = names.get(message.user) ?? message.user;
        const files = message.files?.map((file) => ` [${file.name}]`).join("") ?? "";
        return `${indent}${who}: ${message.text}${files}`;
      })
      .join("\n");
  }

  channelId(reference: string): string {
    const name = reference.replace(/^#/, "");
    const channel = this.#state.channels.find((item) => item.id === name || item.name === name);
    if (!channel) throw new Error(`There is no channel ${reference}.`);
    return channel.id;
  }

  directMessageId(): string {
    const channel = this.#state.channels.find(
      (item) => item.kind === "im" && item.members.includes(this.appUserId),
    );
    if (!channel) throw new Error("There is no direct message with the app.");
    return channel.id;
  }

  async close(): Promise<void> {
    this.#stream.abort();
  }

  async #act(action: string, body: FormData | Record<string, unknown>): Promise<unknown> {
    const isForm = body instanceof FormData;
    const response = await fetch(new URL(`/_page/${action}`, this.#pageUrl), {
      method: "POST",
      headers: {
        Cookie: this.#cookie,
        ...(isForm ? {} : { "Content-Type": "application/json" }),
      },
      body: isForm ? body : JSON.stringify(body),
    });
    const answer = (await response.json()) as { ok: boolean; message?: string };
    if (!response.ok) throw new Error(`Slack refused to ${action}: ${answer.message}`);
    return answer;
  }

  async #follow(events: AsyncIterator<Record<string, unknown>>): Promise<void> {
    try {
      for (let next = await events.next(); !next.done; next = await events.next()) {
        const event = next.value;
        if (event.type === "message") {
          const message = event.message as Omit<SeenMessage, "channel">;
          this.#see({ ...message, channel: String(event.channel) });
        } else if (event.type === "deleted") {
          this.#seen.delete(`${String(event.channel)}/${String(event.ts)}`);
        } else if (event.type === "channel") {
          const channel = event.channel as PageState["channels"][number];
          const others = this.#state.channels.filter((item) => item.id !== channel.id);
          this.#state = { ...this.#state, channels: [...others, channel] };
        }
      }
    } catch (error) {
      // The stream ends with the server or with close(); whoever waits is told by their own time-out.
      if (!(error instanceof Error)) throw error;
    }
  }

  #see(message: SeenMessage): void {
    this.#seen.set(`${message.channel}/${message.ts}`, message);
    for (const waiting of [...this.#waiting]) {
      if (waiting.predicate(message)) waiting.resolve(message);
    }
  }
}

interface ButtonElement {
  type: string;
  action_id?: string;
  text?: { text: string };
}

async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<Record<string, unknown>, void> {
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const chunk of body) {
    buffered += decoder.decode(chunk, { stream: true });
    for (let end = buffered.indexOf("\n\n"); end >= 0; end = buffered.indexOf("\n\n")) {
      const line = buffered.slice(0, end);
      buffered = buffered.slice(end + 2);
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}
