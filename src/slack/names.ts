import type { webApi } from "@slack/bolt";

const LOOKUP_TIMEOUT_MS = 600;
const MOST_NAMES = 1_000;

/**
 * People's handles, for mentions inside commands: `git log --author=@ada` reached Slack as an id.
 * An unknown or slow answer leaves the id: a command does not wait for it.
 */
export class Names {
  readonly #client: webApi.WebClient;
  readonly #known = new Map<string, string>();

  constructor(client: webApi.WebClient) {
    this.#client = client;
  }

  async lookUp(userIds: readonly string[]): Promise<(userId: string) => string> {
    const unknown = userIds.filter((id) => !this.#known.has(id));
    if (unknown.length > 0) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LOOKUP_TIMEOUT_MS);
      });
      await Promise.race([Promise.allSettled(unknown.map((id) => this.#fetch(id))), late]);
      clearTimeout(timer);
    }
    return (userId) => this.#known.get(userId) ?? userId;
  }

  async #fetch(userId: string): Promise<void> {
    const { user } = await this.#client.users.info({ user: userId });
    if (!user?.name) return;
    if (this.#known.size >= MOST_NAMES) this.#known.clear();
    this.#known.set(userId, user.name);
  }
}
