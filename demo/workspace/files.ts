import { randomBytes } from "node:crypto";
import type { WorkspaceConfig } from "./config.ts";
import { fileType } from "./file-types.ts";
import { slackId } from "./ids.ts";
import type { FileObject } from "./types.ts";

const SNIPPET_PREVIEW_CHARS = 1_000;
const UPLOAD_LIFETIME_MS = 60 * 60_000;

interface StoredFile {
  object: FileObject;
  bytes: Uint8Array<ArrayBuffer>;
  /** Channels it was shared in; nothing before the upload is completed. */
  channels: Set<string>;
}

interface PendingUpload {
  id: string;
  name: string;
  user: string;
  expiresAtMs: number;
  bytes: Uint8Array<ArrayBuffer> | undefined;
}

export class FileLimitError extends Error {
  override readonly name = "FileLimitError";
  readonly code = "file_upload_size_restricted";
}

/** Files by id. Names are only ever shown, never used as a path. */
export class FileStore {
  /** Set once the server listens. */
  baseUrl = "";
  readonly #config: WorkspaceConfig;
  readonly #now: () => number;
  readonly #files = new Map<string, StoredFile>();
  readonly #uploads = new Map<string, PendingUpload>();

  constructor(config: WorkspaceConfig, now: () => number) {
    this.#config = config;
    this.#now = now;
  }

  get(id: string): StoredFile | undefined {
    return this.#files.get(id);
  }

  all(): StoredFile[] {
    return [...this.#files.values()];
  }

  add(
    file: { name: string; title?: string; bytes: Uint8Array<ArrayBuffer>; user: string },
    id = slackId("F"),
  ): FileObject {
    this.#makeRoom(file.bytes.byteLength);
    const object = this.#describe(id, file);
    this.#files.set(id, { object, bytes: file.bytes, channels: new Set() });
    return object;
  }

  /** First step of an upload by an app: a ticket for the bytes to come. */
  open(name: string, user: string): { ticket: string; id: string } {
    for (const [ticket, upload] of this.#uploads) {
      if (upload.expiresAtMs < this.#now()) this.#uploads.delete(ticket);
    }
    const ticket = randomBytes(24).toString("base64url");
    const id = slackId("F");
    const expiresAtMs = this.#now() + UPLOAD_LIFETIME_MS;
    this.#uploads.set(ticket, { id, name, user, expiresAtMs, bytes: undefined });
    return { ticket, id };
  }

  /** Second step. `false` for an unknown or expired ticket. */
  receive(ticket: string, bytes: Uint8Array<ArrayBuffer>): boolean {
    const upload = this.#uploads.get(ticket);
    if (!upload || upload.expiresAtMs < this.#now()) return false;
    this.#makeRoom(bytes.byteLength);
    upload.bytes = bytes;
    return true;
  }

  /** Third step: the file comes into being. `undefined` when its bytes never came. */
  complete(id: string, title: string | undefined): FileObject | undefined {
    for (const [ticket, upload] of this.#uploads) {
      if (upload.id !== id || !upload.bytes) continue;
      this.#uploads.delete(ticket);
      const { name, user, bytes } = upload;
      return this.add({ name, bytes, user, ...(title === undefined ? {} : { title }) }, id);
    }
    return undefined;
  }

  share(id: string, channelId: string): void {
    this.#files.get(id)?.channels.add(channelId);
  }

  #makeRoom(bytes: number): void {
    const { fileBytes, filesTotalBytes } = this.#config.limits;
    const held = this.all().reduce((sum, file) => sum + file.bytes.byteLength, 0);
    const pending = [...this.#uploads.values()].reduce(
      (sum, upload) => sum + (upload.bytes?.byteLength ?? 0),
      0,
    );
    if (bytes > fileBytes || held + pending + bytes > filesTotalBytes) {
      throw new FileLimitError(`The workspace takes no more files: ${bytes} bytes are too many.`);
    }
  }

  #describe(
    id: string,
    file: { name: string; title?: string; bytes: Uint8Array; user: string },
  ): FileObject {
    const type = fileType(file.name, file.bytes);
    const createdSeconds = Math.floor(this.#now() / 1_000);
    const teamId = this.#config.team.id;
    const path = `${teamId}-${id}`;
    // Slack puts a cleaned name at the end of the address; the id alone finds the file.
    const slug = encodeURIComponent(
      file.name
        .toWellFormed()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}._-]+/gu, "_"),
    );
    return {
      id,
      created: createdSeconds,
      timestamp: createdSeconds,
      name: file.name,
      title: file.title ?? file.name,
      mimetype: type.mimetype,
      filetype: type.filetype,
      pretty_type: type.prettyType,
      user: file.user,
      user_team: teamId,
      editable: type.isText,
      size: file.bytes.byteLength,
      mode: type.isText ? "snippet" : "hosted",
      is_external: false,
      external_type: "",
      is_public: true,
      public_url_shared: false,
      display_as_bot: false,
      username: "",
      url_private: `${this.baseUrl}/files-pri/${path}/${slug}`,
      url_private_download: `${this.baseUrl}/files-pri/${path}/download/${slug}`,
      permalink: `${this.baseUrl}/files/${file.user}/${id}/${slug}`,
      has_rich_preview: false,
      file_access: "visible",
      ...(type.isText
        ? { preview: new TextDecoder().decode(file.bytes).slice(0, SNIPPET_PREVIEW_CHARS) }
        : {}),
    };
  }
}
