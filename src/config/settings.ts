import { isIP, isIPv4 } from "node:net";
import { z } from "zod";
import type { Environment } from "./environment.ts";
import { ConfigError } from "./errors.ts";

/**
 * Every setting, its form and its default. The message of each check completes the sentence "NAME …",
 * and tells where the right value is found. No message repeats a value that may hold a secret.
 */
export const settings = {
  SLACK_BOT_TOKEN: z
    .string()
    .regex(
      /^xoxb-[\w-]+$/,
      "must start with “xoxb-”: copy the Bot User OAuth Token from “OAuth & Permissions” of your app at api.slack.com/apps",
    ),
  SLACK_APP_TOKEN: z
    .string()
    .regex(
      /^xapp-[\w-]+$/,
      "must start with “xapp-”: make an App-Level Token with the scope connections:write under “Basic Information” of your app at api.slack.com/apps",
    )
    .optional(),
  SLACK_SIGNING_SECRET: z
    .string()
    .min(
      8,
      "is too short: copy the Signing Secret from “Basic Information” of your app at api.slack.com/apps",
    )
    .optional(),
  PORT: wholeNumber(0, 65_535).optional(),
  SLACK_API_URL: z
    .string()
    .refine(isUrl("http:", "https:"), "must be a web address such as https://slack.com/api/")
    .transform((url) => (url.endsWith("/") ? url : `${url}/`))
    .default("https://slack.com/api/"),
  REDIS_URL: z
    .string()
    .refine(
      isUrl("redis:", "rediss:"),
      "must be an address such as redis://127.0.0.1:6379 or rediss://user:password@host:6380",
    )
    .default("redis://127.0.0.1:6379"),
  MOM_IMAGE: z.string().default("auto"),
  MOM_TURN_TIMEOUT_S: wholeNumber(1, 86_400).default(300),
  MOM_TURN_MAX_OUTPUT_BYTES: wholeNumber(1_024, 1_073_741_824).default(32 * 1024 * 1024),
  MOM_MEMORY_MB: wholeNumber(64, 2_048).default(256),
  MOM_DISK_QUOTA_MB: wholeNumber(16, 1_048_576).default(1_024),
  MOM_STORE: z.enum(["disk", "s3"], { error: "must be “disk” or “s3”" }).default("disk"),
  MOM_S3_ENDPOINT: z
    .string()
    .refine(isUrl("http:", "https:"), "must be a web address such as https://s3.example.com")
    .optional(),
  MOM_S3_REGION: z.string().default("us-east-1"),
  MOM_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
    .optional(),
  MOM_S3_ACCESS_KEY_ID: z.string().optional(),
  MOM_S3_SECRET_ACCESS_KEY: z.string().optional(),
  MOM_THREAD_TTL_DAYS: wholeNumber(1, 36_500).default(30),
  MOM_NET: z
    .enum(["relay", "fetch", "none"], { error: "must be “relay”, “fetch” or “none”" })
    .default("relay"),
  // `internet`, `none`, or a file of rules.
  MOM_NET_POLICY: z.string().default("internet"),
  MOM_NET_HOST_PORTS: portList().default([]),
  MOM_NET_DNS: nameServers().optional(),
  MOM_NET_CONNECTIONS: wholeNumber(1, 65_535).default(512),
  MOM_NET_NEW_PER_SECOND: wholeNumber(1, 100_000).default(200),
  MOM_NET_FLOWS: wholeNumber(1, 65_535).default(256),
  MOM_NET_UP_KB_PER_S: wholeNumber(1, 100_000_000).optional(),
  MOM_NET_DOWN_KB_PER_S: wholeNumber(1, 100_000_000).optional(),
  MOM_NET_TURN_MB: wholeNumber(1, 100_000_000).optional(),
  MOM_EXPOSE_LISTEN: listenAddress().optional(),
  MOM_EXPOSE_URL: z
    .string()
    .refine(
      isOrigin,
      "must be a web address of a domain, such as https://apps.example.org, and nothing behind it",
    )
    .transform((url) => new URL(url).origin)
    .optional(),
  MOM_EXPOSE_WORKER: z
    .string()
    .regex(/^[\w.:-]{1,253}$/, "must be an address or a name of the worker's host")
    .default("127.0.0.1"),
  MOM_WARM_UP: z.enum(["on", "off"], { error: "must be “on” or “off”" }).default("on"),
  MOM_GRACE_S: wholeNumber(0, 86_400).default(120),
  MOM_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
      error: "must be one of fatal, error, warn, info, debug, trace, silent",
    })
    .default("info"),
  MOM_EXTRA_CA_CERTS: z.string().optional(),
  MOM_RELAY_TOKEN: z.string().min(8, "is too short: take 8 characters or more").optional(),
  MOM_QUEUE_PREFIX: z
    .string()
    .regex(/^[\w{}.-]{1,64}$/, "may have letters, digits and _ - . { } only, 64 at most")
    .default("mom"),
  MOM_WORKER_ID: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "may have letters, digits and _ - . only, 64 at most")
    .optional(),
  MOM_ALLOWED_USERS: slackIds(/^[UW][A-Z0-9]+$/, "user ids such as U012AB3CD").optional(),
  MOM_ALLOWED_CHANNELS: slackIds(/^[CDG][A-Z0-9]+$/, "channel ids such as C012AB3CD").optional(),
};

export type SettingName = keyof typeof settings;
export type Settings = { [Name in SettingName]: z.output<(typeof settings)[Name]> };

/** Settings that must never be printed. */
export const secretNames: readonly SettingName[] = [
  "SLACK_BOT_TOKEN",
  "SLACK_APP_TOKEN",
  "SLACK_SIGNING_SECRET",
  "REDIS_URL",
  "MOM_S3_ACCESS_KEY_ID",
  "MOM_S3_SECRET_ACCESS_KEY",
  "MOM_RELAY_TOKEN",
];

/** Check the named settings, all at once, so that a person sees everything that is wrong in one go. */
export function readSettings<Name extends SettingName>(
  env: Environment,
  names: readonly Name[],
): Pick<Settings, Name> {
  const values: Record<string, unknown> = {};
  const sentences: string[] = [];
  let code: "CONFIG_MISSING" | "CONFIG_INVALID" = "CONFIG_MISSING";
  for (const name of names) {
    const raw = env[name]?.trim() || undefined;
    const parsed = settings[name].safeParse(raw);
    if (parsed.success) {
      values[name] = parsed.data;
    } else if (raw === undefined) {
      sentences.push(`${name} is not set.`);
    } else {
      code = "CONFIG_INVALID";
      sentences.push(`${name} ${parsed.error.issues[0]?.message ?? "is wrong"}.`);
    }
  }
  if (sentences.length > 0) throw new ConfigError(code, sentences.join("\n"));
  return values as Pick<Settings, Name>;
}

function wholeNumber(least: number, most: number) {
  return z
    .string()
    .refine(
      (text) => /^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most,
      `must be a whole number from ${least} to ${most}`,
    )
    .transform(Number);
}

function portList() {
  return z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((port) => port !== ""))
    .refine(
      (ports) => ports.every((port) => /^\d{1,5}$/.test(port) && isPort(Number(port))),
      "must be a list of ports from 1 to 65535, with commas",
    )
    .transform((ports): readonly number[] => ports.map(Number));
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** Addresses, each with a port where it is not 53: what `dns.Resolver.setServers` takes. */
function nameServers() {
  return z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((server) => server !== ""))
    .refine(
      (servers) => servers.length > 0 && servers.every(isNameServer),
      "must be a list of addresses such as 192.0.2.53 or 192.0.2.53:5353, with commas",
    )
    .transform((servers): readonly string[] => servers);
}

function isNameServer(server: string): boolean {
  const [address = "", port = "53", ...rest] = server.split(":");
  return rest.length === 0 && isIPv4(address) && /^\d{1,5}$/.test(port) && isPort(Number(port));
}

/** `PORT` of loopback, or `ADDRESS:PORT`; port 0 for any that is free. */
function listenAddress() {
  return z
    .string()
    .transform((text) => /^(?:(?<host>.*):)?(?<port>\d{1,5})$/.exec(text)?.groups)
    .refine(
      (parts) =>
        parts !== undefined &&
        Number(parts.port) <= 65_535 &&
        (parts.host === undefined || isIP(bare(parts.host)) !== 0),
      "must be an address of this host and a port, such as 127.0.0.1:8090",
    )
    .transform((parts) => ({
      host: bare(parts?.host ?? "127.0.0.1"),
      port: Number(parts?.port),
    }));
}

/** An IPv6 address stands in brackets where a port follows. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function isOrigin(text: string): boolean {
  if (!isUrl("http:", "https:")(text)) return false;
  const { hostname, pathname, search, hash, username } = new URL(text);
  const isDomain = isIP(bare(hostname)) === 0;
  return isDomain && pathname === "/" && search + hash + username === "";
}

function slackIds(form: RegExp, what: string) {
  return z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((id) => id !== ""))
    .refine((ids) => ids.every((id) => form.test(id)), `must be a list of ${what}, with commas`)
    .transform((ids): ReadonlySet<string> => new Set(ids));
}

function isUrl(...protocols: string[]) {
  return (text: string) => URL.canParse(text) && protocols.includes(new URL(text).protocol);
}
