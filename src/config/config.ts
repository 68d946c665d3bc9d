import { dataDir, type Environment } from "./environment.ts";
import { ConfigError } from "./errors.ts";
import { type ExposeConfig, exposeConfig } from "./expose.ts";
import { type NetworkConfig, networkConfig } from "./network.ts";
import { readSettings, type Settings, secretNames } from "./settings.ts";

/** How Slack reaches the app. */
export type SlackTransport =
  | { kind: "socket"; appToken: string }
  | { kind: "http"; signingSecret: string; port: number };

export interface QueueConfig {
  redisUrl: string;
  /** In front of every key in Redis: two installations on one server differ in it. */
  prefix: string;
}

export interface SlackConfig {
  botToken: string;
  /** Web API, with a slash at the end. */
  apiUrl: string;
}

/** Who may give commands; `undefined`: everybody who can talk to the bot. */
export interface AccessConfig {
  users?: ReadonlySet<string>;
  channels?: ReadonlySet<string>;
}

export interface AppConfig {
  slack: SlackConfig & { transport: SlackTransport };
  queue: QueueConfig;
  access: AccessConfig;
  /** Where ports of threads are reached, if they can be. */
  expose?: ExposeConfig | undefined;
  logLevel: Settings["MOM_LOG_LEVEL"];
}

/** What a machine is and may use: enough for `mom run`, which needs neither Slack nor Redis. */
export interface MachineConfig {
  dataDir: string;
  /** `auto`, the id of a built image, or a folder. */
  image: string;
  memoryMb: number;
  diskQuotaMb: number;
  turnTimeoutMs: number;
  turnMaxOutputBytes: number;
  /** File of certificates that guests trust besides the usual ones. */
  extraCaCerts?: string | undefined;
  network: NetworkConfig;
  logLevel: Settings["MOM_LOG_LEVEL"];
}

/** Where the states of threads are kept: below `dataDir`, or in a bucket that workers on many hosts share. */
export type StoreConfig =
  | { kind: "disk" }
  | {
      kind: "s3";
      endpoint: string | undefined;
      region: string;
      bucket: string;
      accessKeyId: string;
      secretAccessKey: string;
    };

export interface WorkerConfig {
  slack: SlackConfig;
  queue: QueueConfig;
  machine: MachineConfig;
  store: StoreConfig;
  /** A thread that was not used for so long is forgotten. */
  threadTtlMs: number;
  /** Run typical commands in a machine that has just started, so that the first turns find its code compiled. */
  warmUp: boolean;
  /** How long programs in the background go on after their thread's turn. */
  graceMs: number;
  /** Where the proxy reaches this worker, if ports of threads can be exposed. */
  expose?: { host: string } | undefined;
  /** `undefined`: the worker makes one of host name and process id. */
  workerId: string | undefined;
  logLevel: Settings["MOM_LOG_LEVEL"];
}

/** Settings of the Slack app. Throws `ConfigError`. */
export function appConfig(env: Environment): AppConfig {
  const set = readSettings(env, [
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "PORT",
    "SLACK_API_URL",
    "REDIS_URL",
    "MOM_QUEUE_PREFIX",
    "MOM_ALLOWED_USERS",
    "MOM_ALLOWED_CHANNELS",
    "MOM_LOG_LEVEL",
  ]);
  const access: AccessConfig = {};
  if (set.MOM_ALLOWED_USERS) access.users = set.MOM_ALLOWED_USERS;
  if (set.MOM_ALLOWED_CHANNELS) access.channels = set.MOM_ALLOWED_CHANNELS;
  return {
    slack: { botToken: set.SLACK_BOT_TOKEN, apiUrl: set.SLACK_API_URL, transport: transport(set) },
    queue: { redisUrl: set.REDIS_URL, prefix: set.MOM_QUEUE_PREFIX },
    access,
    expose: exposeConfig(env),
    logLevel: set.MOM_LOG_LEVEL,
  };
}

/** Settings of a worker. Throws `ConfigError`. */
export function workerConfig(env: Environment): WorkerConfig {
  const set = readSettings(env, [
    "SLACK_BOT_TOKEN",
    "SLACK_API_URL",
    "REDIS_URL",
    "MOM_QUEUE_PREFIX",
    "MOM_WORKER_ID",
    "MOM_THREAD_TTL_DAYS",
    "MOM_WARM_UP",
    "MOM_GRACE_S",
    "MOM_EXPOSE_WORKER",
    "MOM_LOG_LEVEL",
  ]);
  return {
    slack: { botToken: set.SLACK_BOT_TOKEN, apiUrl: set.SLACK_API_URL },
    queue: { redisUrl: set.REDIS_URL, prefix: set.MOM_QUEUE_PREFIX },
    machine: machineConfig(env),
    store: storeConfig(env),
    threadTtlMs: set.MOM_THREAD_TTL_DAYS * DAY_MS,
    warmUp: set.MOM_WARM_UP === "on",
    graceMs: set.MOM_GRACE_S * 1_000,
    expose: exposeConfig(env) && { host: set.MOM_EXPOSE_WORKER },
    workerId: set.MOM_WORKER_ID,
    logLevel: set.MOM_LOG_LEVEL,
  };
}

const DAY_MS = 24 * 60 * 60_000;

/** Settings of the store. Throws `ConfigError`. */
export function storeConfig(env: Environment): StoreConfig {
  const set = readSettings(env, [
    "MOM_STORE",
    "MOM_S3_ENDPOINT",
    "MOM_S3_REGION",
    "MOM_S3_BUCKET",
    "MOM_S3_ACCESS_KEY_ID",
    "MOM_S3_SECRET_ACCESS_KEY",
  ]);
  if (set.MOM_STORE === "disk") return { kind: "disk" };
  const {
    MOM_S3_BUCKET: bucket,
    MOM_S3_ACCESS_KEY_ID: accessKeyId,
    MOM_S3_SECRET_ACCESS_KEY: secretAccessKey,
  } = set;
  if (!bucket || !accessKeyId || !secretAccessKey) {
    throw new ConfigError(
      "CONFIG_MISSING",
      "MOM_STORE is s3: set MOM_S3_BUCKET, MOM_S3_ACCESS_KEY_ID and MOM_S3_SECRET_ACCESS_KEY, and MOM_S3_ENDPOINT for a server that is not Amazon's.",
    );
  }
  const { MOM_S3_ENDPOINT: endpoint, MOM_S3_REGION: region } = set;
  return { kind: "s3", endpoint, region, bucket, accessKeyId, secretAccessKey };
}

/** Settings of the machine alone. Throws `ConfigError`. */
export function machineConfig(env: Environment): MachineConfig {
  const set = readSettings(env, [
    "MOM_IMAGE",
    "MOM_MEMORY_MB",
    "MOM_DISK_QUOTA_MB",
    "MOM_TURN_TIMEOUT_S",
    "MOM_TURN_MAX_OUTPUT_BYTES",
    "MOM_EXTRA_CA_CERTS",
    "MOM_LOG_LEVEL",
  ]);
  return {
    dataDir: dataDir(env),
    image: set.MOM_IMAGE,
    memoryMb: set.MOM_MEMORY_MB,
    diskQuotaMb: set.MOM_DISK_QUOTA_MB,
    turnTimeoutMs: set.MOM_TURN_TIMEOUT_S * 1_000,
    turnMaxOutputBytes: set.MOM_TURN_MAX_OUTPUT_BYTES,
    extraCaCerts: set.MOM_EXTRA_CA_CERTS,
    network: networkConfig(env),
    logLevel: set.MOM_LOG_LEVEL,
  };
}

/** Where the queue is, for commands that only look at it. Throws `ConfigError`. */
export function queueConfig(env: Environment): QueueConfig {
  const set = readSettings(env, ["REDIS_URL", "MOM_QUEUE_PREFIX"]);
  return { redisUrl: set.REDIS_URL, prefix: set.MOM_QUEUE_PREFIX };
}

/**
 * A function that takes every secret of this environment out of a text, for logs and error messages.
 *
 * @example
 * const redact = redactor(env);
 * redact(`connect ${env.REDIS_URL} failed`); // "connect [REDIS_URL] failed"
 */
export function redactor(env: Environment): (text: string) => string {
  const secrets = secretNames.flatMap((name) => secretParts(name, env[name]?.trim()));
  // Longest first: a password is part of the address that holds it.
  secrets.sort((a, b) => b.secret.length - a.secret.length);
  return (text) =>
    secrets.reduce((left, { secret, name }) => left.replaceAll(secret, `[${name}]`), text);
}

function secretParts(name: string, value: string | undefined) {
  if (!value) return [];
  if (name !== "REDIS_URL") return [{ name, secret: value }];
  if (!URL.canParse(value)) return [{ name, secret: value }];
  // An address without a password is no secret, and useful in a log.
  const { password } = new URL(value);
  if (password === "") return [];
  return [value, password, decodeURIComponent(password)].map((secret) => ({ name, secret }));
}

function transport(
  set: Pick<Settings, "SLACK_APP_TOKEN" | "SLACK_SIGNING_SECRET" | "PORT">,
): SlackTransport {
  if (set.SLACK_APP_TOKEN) return { kind: "socket", appToken: set.SLACK_APP_TOKEN };
  if (set.SLACK_SIGNING_SECRET && set.PORT !== undefined) {
    return { kind: "http", signingSecret: set.SLACK_SIGNING_SECRET, port: set.PORT };
  }
  throw new ConfigError(
    "CONFIG_MISSING",
    set.SLACK_SIGNING_SECRET
      ? "PORT is not set: SLACK_SIGNING_SECRET needs it, the port that Slack's requests arrive at."
      : "Set SLACK_APP_TOKEN (Socket Mode), or SLACK_SIGNING_SECRET and PORT (signed HTTP), so that Slack can reach the app.",
  );
}
