import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import S3rver from "s3rver";
import type { S3Options } from "../../../workers/snapshots/s3-objects.ts";

export interface TestS3 {
  /** An empty bucket, and how to reach it. */
  bucket(): Promise<S3Options>;
  stop(): Promise<void>;
}

/** An S3 server of its own, on a free port of loopback. */
export async function startS3(): Promise<TestS3> {
  const directory = await mkdtemp(join(tmpdir(), "mom-s3-"));
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory });
  const { port } = await server.run();
  // The server's well-known test account.
  const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
  const place = { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1" };
  const client = new S3Client({ ...place, credentials, forcePathStyle: true });
  return {
    async bucket() {
      const bucket = `mom-${randomUUID()}`;
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return { ...place, ...credentials, bucket };
    },
    async stop() {
      client.destroy();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
