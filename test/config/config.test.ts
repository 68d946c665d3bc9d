import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  appConfig,
  ConfigError,
  dataDir,
  type Environment,
  machineConfig,
  networkConfig,
  queueConfig,
  readEnvironment,
  redactor,
  workerConfig,
} from "../../src/config/index.ts";

const socketMode = { SLACK_BOT_TOKEN: "xoxb-1-2-abc", SLACK_APP_TOKEN: "xapp-1-A-2-abc" };

function errorOf(read: () => unknown): ConfigError {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("appConfig", () => {
  test("two tokens are enough for Socket Mode on this machine's Redis", () => {
    expect(appConfig(socketMode)).toEqual({
      slack: {
        botToken: "xoxb-1-2-abc",
        apiUrl: "https://slack.com/api/",
        transport: { kind: "socket", appToken: "xapp-1-A-2-abc" },
      },
      queue: { redisUrl: "redis://127.0.0.1:6379", prefix: "mom" },
      access: {},
      logLevel: "info",
    });
  });

  test("a signing secret and a port make it signed HTTP", () => {
    const config = appConfig({
      SLACK_BOT_TOKEN: "xoxb-1",
      SLACK_SIGNING_SECRET: "0123456789abcdef",
      PORT: "3000",
    });
    expect(config.slack.transport).toEqual({
      kind: "http",
      signingSecret: "0123456789abcdef",
      port: 3000,
    });
  });

  test("without any way for Slack to reach the app, both ways are named", () => {
    const error = errorOf(() => appConfig({ SLACK_BOT_TOKEN: "xoxb-1" }));
    expect(error.code).toBe("CONFIG_MISSING");
    expect(error.message).toContain("SLACK_APP_TOKEN (Socket Mode)");
    expect(error.message).toContain("SLACK_SIGNING_SECRET and PORT");
  });

  test("an address without a slash at its end gets one", () => {
    const config = appConfig({ ...socketMode, SLACK_API_URL: "http://127.0.0.1:5000/api" });
    expect(config.slack.apiUrl).toBe("http://127.0.0.1:5000/api/");
  });

  test("lists of users and channels become sets", () => {
    const config = appConfig({
      ...socketMode,
      MOM_ALLOWED_USERS: "U1, U2,W3",
      MOM_ALLOWED_CHANNELS: "C1",
    });
    expect(config.access).toEqual({
      users: new Set(["U1", "U2", "W3"]),
      channels: new Set(["C1"]),
    });
  });
});

describe("a wrong value", () => {
  const cases: [name: string, value: string, sentence: RegExp][] = [
    ["SLACK_BOT_TOKEN", "xoxp-123", /^SLACK_BOT_TOKEN must start with “xoxb-”.*\.$/],
    ["SLACK_APP_TOKEN", "xoxb-123", /^SLACK_APP_TOKEN must start with “xapp-”.*\.$/],
    ["PORT", "80000", /^PORT must be a whole number from 0 to 65535\.$/],
    ["SLACK_API_URL", "slack.com", /^SLACK_API_URL must be a web address.*\.$/],
    ["REDIS_URL", "http://localhost", /^REDIS_URL must be an address such as redis:\/\/.*\.$/],
    ["REDIS_URL", "localhost:6379", /^REDIS_URL must be an address.*\.$/],
    ["MOM_LOG_LEVEL", "loud", /^MOM_LOG_LEVEL must be one of fatal, .*\.$/],
    ["MOM_QUEUE_PREFIX", "a:b", /^MOM_QUEUE_PREFIX may have .*\.$/],
    ["MOM_ALLOWED_USERS", "anna", /^MOM_ALLOWED_USERS must be a list of user ids .*\.$/],
  ];
  test.each(cases)("%s=%s gives one sentence", (name, value, sentence) => {
    const error = errorOf(() => appConfig({ ...socketMode, [name]: value }));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(sentence);
    expect(error.message).not.toContain("\n");
  });

  test.each(["abc", "0", "1.5", "-1", "1e3", "99999999999999999999"])(
    "MOM_TURN_TIMEOUT_S=%s gives one sentence",
    (value) => {
      const error = errorOf(() => machineConfig({ MOM_TURN_TIMEOUT_S: value }));
      expect(error.message).toBe("MOM_TURN_TIMEOUT_S must be a whole number from 1 to 86400.");
    },
  );

  test("all wrong values are told at once, a line each", () => {
    const error = errorOf(() => appConfig({ SLACK_APP_TOKEN: "x", REDIS_URL: "y" }));
    expect(error.message.split("\n")).toHaveLength(3);
    expect(error.message).toContain("SLACK_BOT_TOKEN is not set.");
  });

  test("a token that was put into the wrong place is not repeated", () => {
    const env = { SLACK_BOT_TOKEN: "xapp-very-secret", REDIS_URL: "http://:hunter2@host" };
    const error = errorOf(() => workerConfig(env));
    expect(error.message).not.toMatch(/very-secret|hunter2/);
  });
});

describe("workerConfig", () => {
  test("has the limits of a turn with their defaults, in the units of their names", () => {
    const config = workerConfig({ SLACK_BOT_TOKEN: "xoxb-1", MOM_DATA_DIR: "/srv/mom" });
    expect(config.machine).toEqual({
      dataDir: "/srv/mom",
      image: "auto",
      memoryMb: 256,
      diskQuotaMb: 1024,
      turnTimeoutMs: 300_000,
      turnMaxOutputBytes: 33_554_432,
      network: {
        backend: "relay",
        policy: "internet",
        hostPorts: [],
        nameServers: undefined,
        limits: { connections: 512, newFlowsPerSecond: 200, udpFlows: 256 },
      },
      logLevel: "info",
    });
  });

  test("needs no app token", () => {
    expect(workerConfig({ SLACK_BOT_TOKEN: "xoxb-1" }).workerId).toBeUndefined();
  });
});

describe("networkConfig", () => {
  test("has lists as lists, limits in bytes, and a policy's file by its full path", () => {
    const config = networkConfig({
      MOM_NET: "relay",
      MOM_NET_POLICY: "/etc/mom/policy",
      MOM_NET_HOST_PORTS: "8080, 3128",
      MOM_NET_DNS: "192.0.2.53,192.0.2.54:5353",
      MOM_NET_UP_KB_PER_S: "100",
      MOM_NET_DOWN_KB_PER_S: "200",
      MOM_NET_TURN_MB: "50",
    });
    expect(config).toEqual({
      backend: "relay",
      policy: "/etc/mom/policy",
      hostPorts: [8080, 3128],
      nameServers: ["192.0.2.53", "192.0.2.54:5353"],
      limits: {
        connections: 512,
        newFlowsPerSecond: 200,
        udpFlows: 256,
        upBytesPerSecond: 100_000,
        downBytesPerSecond: 200_000,
        totalBytes: 50_000_000,
      },
    });
  });

  const wrong: [name: string, value: string, sentence: string][] = [
    ["MOM_NET", "wifi", "MOM_NET must be “relay”, “fetch” or “none”."],
    [
      "MOM_NET_HOST_PORTS",
      "80,http",
      "MOM_NET_HOST_PORTS must be a list of ports from 1 to 65535, with commas.",
    ],
    [
      "MOM_NET_HOST_PORTS",
      "0",
      "MOM_NET_HOST_PORTS must be a list of ports from 1 to 65535, with commas.",
    ],
    [
      "MOM_NET_DNS",
      "dns.example.org",
      "MOM_NET_DNS must be a list of addresses such as 192.0.2.53 or 192.0.2.53:5353, with commas.",
    ],
    ["MOM_NET_FLOWS", "0", "MOM_NET_FLOWS must be a whole number from 1 to 65535."],
    ["MOM_NET_TURN_MB", "-1", "MOM_NET_TURN_MB must be a whole number from 1 to 100000000."],
  ];
  test.each(wrong)("%s=%s gives one sentence", (name, value, sentence) => {
    expect(errorOf(() => machineConfig({ [name]: value })).message).toBe(sentence);
  });
});

test("queueConfig needs no Slack token", () => {
  expect(queueConfig({ REDIS_URL: "rediss://h:6380", MOM_QUEUE_PREFIX: "t" })).toEqual({
    redisUrl: "rediss://h:6380",
    prefix: "t",
  });
});

describe("dataDir", () => {
  const cases: [env: Environment, path: string][] = [
    [{ MOM_DATA_DIR: "/a", XDG_DATA_HOME: "/b", HOME: "/c" }, "/a"],
    [{ XDG_DATA_HOME: "/b", HOME: "/c" }, "/b/mom"],
    [{ XDG_DATA_HOME: "relative", HOME: "/c" }, "/c/.local/share/mom"],
    [{ HOME: "/c" }, "/c/.local/share/mom"],
  ];
  test.each(cases)("%j is %s", (env, path) => {
    expect(dataDir(env)).toBe(path);
  });
});

describe("readEnvironment", () => {
  function dotenv(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), "mom-config-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, ".env"), text);
    return join(folder, ".env");
  }

  test("the environment wins over the file, and an empty value counts as not set", () => {
    const path = dotenv("A=file\nB=file\nC=\nD='quoted # not a comment'\n");
    expect(readEnvironment({ A: "process", B: "", E: " " }, path)).toEqual({
      A: "process",
      B: "file",
      D: "quoted # not a comment",
    });
  });

  test("a missing file is an empty one", () => {
    expect(readEnvironment({ A: "1" }, "/nonexistent/.env")).toEqual({ A: "1" });
  });

  test("a file that cannot be read is an error that names it", () => {
    const error = errorOf(() => readEnvironment({}, tmpdir()));
    expect(error.code).toBe("CONFIG_FILE");
    expect(error.message).toContain(tmpdir());
  });
});

describe("redactor", () => {
  test("takes tokens and the password of Redis out, in either spelling", () => {
    const redact = redactor({
      SLACK_BOT_TOKEN: "xoxb-secret",
      REDIS_URL: "redis://:p%40ss@host:6379",
    });
    expect(redact("xoxb-secret redis://:p%40ss@host:6379 p@ss")).toBe(
      "[SLACK_BOT_TOKEN] [REDIS_URL] [REDIS_URL]",
    );
  });

  test("leaves an address without a password readable", () => {
    expect(redactor({ REDIS_URL: "redis://host" })("redis://host is down")).toBe(
      "redis://host is down",
    );
  });
});
