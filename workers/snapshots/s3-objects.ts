import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { isObjectName, type ObjectKind, type ObjectStore, type StoredObject } from "./objects.ts";
import { SnapshotError } from "./store.ts";

export interface S3Options {
  /** `undefined`: Amazon's, of the region. */
  endpoint: string | undefined;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const NOT_FOUND = 404;
const ATTEMPTS = 4;

/** Objects in a bucket of an S3-compatible storage, which workers on many hosts share. */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(options: S3Options) {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = options;
    this.#bucket = bucket;
    this.#client = new S3Client({
      region,
      ...(endpoint ? { endpoint } : {}),
      // Bucket names in host names need a wildcard certificate, which few servers of one's own have.
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: ATTEMPTS,
      // Names are hashes and checked as such; not every compatible server knows the newer checksums.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const place = this.#place(name);
    try {
      const { Body } = await this.#client.send(new GetObjectCommand(place));
      return await Body?.transformToByteArray();
    } catch (cause) {
      if (isNotFound(cause)) return undefined;
      throw failure("read", cause);
    }
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const place = this.#place(name);
    try {
      await this.#client.send(new PutObjectCommand({ ...place, Body: bytes }));
    } catch (cause) {
      throw failure("saved", cause);
    }
  }

  async find(name: string): Promise<StoredObject | undefined> {
    const place = this.#place(name);
    try {
      const head = await this.#client.send(new HeadObjectCommand(place));
      return { name, bytes: head.ContentLength ?? 0, putAtMs: head.LastModified?.getTime() ?? 0 };
    } catch (cause) {
      if (isNotFound(cause)) return undefined;
      throw failure("read", cause);
    }
  }

  async *list(kind: ObjectKind): AsyncIterable<StoredObject> {
    let token: string | undefined;
    do {
      const page = await this.#page(`${kind}/`, token);
      for (const { Key: name = "", Size: bytes = 0, LastModified: put } of page.Contents ?? []) {
        if (isObjectName(name)) yield { name, bytes, putAtMs: put?.getTime() ?? 0 };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token);
  }

  /** S3 has no step for look and remove: the look comes right before. */
  async remove(name: string, unlessPutSinceMs: number): Promise<boolean> {
    const found = await this.find(name);
    if (!found) return true;
    if (found.putAtMs > unlessPutSinceMs) return false;
    try {
      await this.#client.send(new DeleteObjectCommand(this.#place(name)));
      return true;
    } catch (cause) {
      throw failure("removed", cause);
    }
  }

  async #page(prefix: string, token: string | undefined) {
    try {
      return await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: prefix,
          ...(token ? { ContinuationToken: token } : {}),
        }),
      );
    } catch (cause) {
      throw failure("read", cause);
    }
  }

  #place(name: string) {
    if (!isObjectName(name)) throw new SnapshotError("STORE_FAILED", "That is no object's name.");
    return { Bucket: this.#bucket, Key: name };
  }
}

function isNotFound(error: unknown): boolean {
  return (
    error instanceof S3ServiceException &&
    error.$metadata.httpStatusCode === NOT_FOUND &&
    error.name !== "NoSuchBucket"
  );
}

function failure(what: string, cause: unknown): SnapshotError {
  const reason = cause instanceof Error ? cause.name : "unknown error";
  const message = `The computers' storage cannot be reached: nothing could be ${what} (${reason}).`;
  return new SnapshotError("STORE_FAILED", message, { cause });
}
