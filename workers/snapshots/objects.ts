/**
 * A store of whole objects by name: what snapshots and blobs are kept in. Names are made of hashes (see `names`),
 * so what has a name never changes; an object is only ever put, put again with the same bytes, or removed.
 */
export interface ObjectStore {
  /** The object's bytes, or `undefined`. Throws `SnapshotError` `STORE_FAILED`. */
  get(name: string): Promise<Uint8Array | undefined>;
  /**
   * Keep an object; on disk, also after a power cut, when it resolves. What is there already only becomes young
   * again, as if it were new. Throws `SnapshotError` `STORE_FULL` or `STORE_FAILED`, with nothing half kept.
   */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** When it was put last, and its size; `undefined` for one that is not there. */
  find(name: string): Promise<StoredObject | undefined>;
  /** Every object of a kind, in no order. */
  list(kind: ObjectKind): AsyncIterable<StoredObject>;
  /** Remove an object, unless it was put after `unlessPutSinceMs`. Says whether it is gone. */
  remove(name: string, unlessPutSinceMs: number): Promise<boolean>;
}

export interface StoredObject {
  name: string;
  bytes: number;
  putAtMs: number;
}

export type ObjectKind = "snapshots" | "blobs";

const NAME =
  /^(snapshots\/[0-9a-f]{2}\/[0-9a-f]{64}|blobs\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}\.zst)$/;
const HASH = /[0-9a-f]{64}/;
const WHOLE_HASH = /^[0-9a-f]{64}$/;

/** Whether a name is one of ours: nothing else is ever looked up, so that no name leads out of the store. */
export function isObjectName(name: string): boolean {
  return NAME.test(name);
}

export function isHash(text: string): boolean {
  return WHOLE_HASH.test(text);
}

export function snapshotName(id: string): string {
  return `snapshots/${id.slice(0, 2)}/${id}`;
}

/** As the machine's process names the file that it writes a blob into. */
export function blobName(hash: string): string {
  return `blobs/${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash}.zst`;
}

/** The hash in an object's name. */
export function hashOf(name: string): string {
  return HASH.exec(name)?.[0] ?? "";
}
