import type { IncomingMessage } from "node:http";

export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
  readonly code = "BODY_TOO_LARGE";
}

export interface UploadedFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface ParsedBody {
  fields: Record<string, unknown>;
  files: UploadedFile[];
}

/** Whole body, bounded: a larger one is not held in memory. */
export async function readBytes(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new BodyTooLargeError(`A body may hold ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** Arguments from the query and a body that is a form, JSON or multipart. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<ParsedBody> {
  const fields: Record<string, unknown> = Object.fromEntries(
    new URL(request.url ?? "/", "http://local").searchParams,
  );
  const files: UploadedFile[] = [];
  const type = request.headers["content-type"] ?? "";
  const bytes = await readBytes(request, maxBytes);
  if (bytes.byteLength === 0) return { fields, files };
  if (type.startsWith("application/json")) {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof parsed === "object" && parsed !== null) Object.assign(fields, parsed);
  } else if (type.startsWith("multipart/form-data")) {
    const form = await new Response(bytes, { headers: { "Content-Type": type } }).formData();
    for (const [name, value] of form) {
      if (typeof value === "string") fields[name] = value;
      else files.push({ name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) });
    }
  } else if (type.startsWith("application/x-www-form-urlencoded")) {
    const form = new URLSearchParams(new TextDecoder().decode(bytes));
    for (const [name, value] of form) fields[name] = value;
  }
  return { fields, files };
}
