import { randomBytes } from "node:crypto";
import type { Workspace } from "../workspace/workspace.ts";

/** https://docs.slack.dev/interactivity/handling-user-interaction#message_responses */
const MAX_USES = 5;

export interface ResponseTarget {
  channelId: string;
  userId: string;
  /** The message that was clicked in. */
  messageTs: string | undefined;
  isEphemeral: boolean;
  threadTs: string | undefined;
}

interface IssuedUrl {
  target: ResponseTarget;
  uses: number;
  expiresAtMs: number;
}

/** Response URLs and trigger ids: short-lived permissions that go out with a command or a click. */
export class ResponseUrls {
  baseUrl = "";
  readonly #workspace: Workspace;
  readonly #issued = new Map<string, IssuedUrl>();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  issue(target: ResponseTarget): { response_url: string; trigger_id: string } {
    const now = this.#workspace.now();
    for (const [path, issued] of this.#issued)
      if (issued.expiresAtMs < now) this.#issued.delete(path);
    const { config } = this.#workspace;
    const path = `/commands/${config.team.id}/${randomBytes(8).readBigUInt64BE()}/${randomBytes(18).toString("base64url")}`;
    const expiresAtMs = now + config.delivery.responseUrlLifetimeMs;
    this.#issued.set(path, { target, uses: 0, expiresAtMs });
    const trigger = `${Math.floor(now)}.${randomBytes(4).readUInt32BE()}.${randomBytes(16).toString("hex")}`;
    return { response_url: `${this.baseUrl}${path}`, trigger_id: trigger };
  }

  use(path: string): ResponseTarget | "no_such_url" | "expired_url" | "used_url" {
    const issued = this.#issued.get(path);
    if (!issued) return "no_such_url";
    if (issued.expiresAtMs < this.#workspace.now()) return "expired_url";
    if (issued.uses >= MAX_USES) return "used_url";
    issued.uses += 1;
    return issued.target;
  }
}
