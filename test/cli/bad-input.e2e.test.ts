import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startSlack } from "../../demo/index.ts";
import type { Guest } from "../../src/cli/guest.ts";
import { workspaceWithMom } from "../../src/cli/workspace.ts";
import { testGuest } from "../support/guest.ts";
import { type DataFolder, dataFolderWith, mom } from "../support/mom.ts";
import { momHere } from "../support/mom-here.ts";
import { freePort, startRedis } from "../support/redis.ts";

/** What goes wrong on the command line: one sentence on standard error, no stack, an exit status that is not 0. */

let guest: Guest;
let data: DataFolder;

beforeAll(async () => {
  guest = await testGuest();
  data = dataFolderWith(guest);
});
afterAll(() => data.remove());

/** @param run in a process of its own, where a machine starts; what fails before can do so in this one. */
async function failsWith(
  args: readonly string[],
  env: Record<string, string>,
  run: (args: readonly string[], env: Record<string, string>) => ReturnType<typeof momHere> = apart,
) {
  const { status, stderr, stdout } = await run(args, env);
  const sentences = stderr.split("\n").filter((line) => line.startsWith("mom: "));
  expect(sentences, stderr).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at /m);
  return { status, stderr, stdout, sentence: sentences[0] ?? "" };
}

async function apart(args: readonly string[], env: Record<string, string>) {
  const { status, stderr, stdout } = await mom(args, { env });
  return { status: status ?? -1, stderr, stdout: stdout.toString() };
}

describe("a bad guest", () => {
  test("that panics", async () => {
    const args = ["run", "--", "echo before; sleep 0.2; echo c > /proc/sysrq-trigger"];
    const { status, stdout, sentence } = await failsWith(args, data.env);
    expect(stdout).toBe("before\n");
    expect(sentence).toMatch(/^mom: the guest's kernel panicked/);
    expect(status).toBe(1);
  });

  test("that fills memory is killed in the guest, and the command goes on", async () => {
    const script = `python3 -c "a = [bytearray(1 << 22) for _ in range(1000)]"; echo status $?`;
    const { status, stdout } = await mom(["run", "--", script], { env: data.env });
    expect(stdout.toString()).toBe("status 137\n");
    expect(status).toBe(0);
  });

  test("that is a fork bomb ends with its time", async () => {
    const args = ["run", "--timeout", "2", "--", ":(){ :|:& };: ; sleep 1000"];
    const { status, sentence } = await failsWith(args, data.env);
    expect(sentence).toMatch(/^mom: stopped after 2 s, the time limit/);
    expect(status).toBe(124);
  });

  test("that fills its disk", async () => {
    const args = ["run", "--", "dd if=/dev/zero of=big bs=1M count=20 2>/dev/null; sync; exit 5"];
    const { status, sentence } = await failsWith(args, { ...data.env, MOM_DISK_QUOTA_MB: "16" });
    expect(sentence).toBe("mom: No space left on the disk: what was written last is not kept.");
    expect(status).toBe(5);
  });
});

describe("a bad image", () => {
  /** A data folder with all of the image and the base in it, whose files are the real ones until they are cut. */
  function copyOfAll(): { dir: string; image: string; base: string } {
    const parent = join(guest.image.dir, "..");
    // Hard links do not reach across file systems.
    const dir = mkdtempSync(join(parent, "..", ".test-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const image = join(dir, "images", basename(guest.image.dir));
    const base = join(dir, "bases", basename(guest.base.dir));
    linkTree(guest.image.dir, image);
    linkTree(guest.base.dir, base);
    return { dir, image, base };
  }

  test.each([
    ["kernel", /The image \S+ is incomplete: kernel has 1000 bytes instead of \d+\. Remove/],
    ["fs.json", /The image \S+ is incomplete: fs\.json has 1000 bytes instead of \d+\./],
    ["manifest.json", /The image \S+ cannot be used: manifest\.json is damaged/],
    ["files", /The image \S+ is incomplete: files\/\S+ has \d+ bytes instead of \d+\./],
  ])("with %s cut short is refused, by its folder and as the newest", async (part, sentence) => {
    const { dir, image } = copyOfAll();
    cut(part === "files" ? largestBelow(join(image, "files")) : join(image, part), 1_000);
    for (const MOM_IMAGE of [image, "auto"]) {
      const failed = await failsWith(
        ["run", "--", "true"],
        { MOM_DATA_DIR: dir, MOM_IMAGE },
        momHere,
      );
      expect(failed.sentence).toMatch(sentence);
      expect(failed.status).toBe(1);
    }
  });

  test("with a damaged or a missing base is refused", async () => {
    const { dir, image, base } = copyOfAll();
    const env = { MOM_DATA_DIR: dir, MOM_IMAGE: image };
    cut(join(base, "state.zst"), 1_000);
    const damaged = await failsWith(["run", "--", "true"], env, momHere);
    expect(damaged.sentence).toMatch(
      /the base is damaged: .* has 1000 bytes .*\.\/mom image build/,
    );
    expect(damaged.status).toBe(1);
    rmSync(base, { recursive: true });
    const missing = await failsWith(["run", "--", "true"], env, momHere);
    expect(missing.sentence).toMatch(/has no base for 256 MB of memory yet\. Run: \.\/mom image/);
    expect(missing.status).toBe(1);
  });

  test("that is not there is refused", async () => {
    const env = { ...data.env, MOM_IMAGE: "0123456789abcdef" };
    const { status, sentence } = await failsWith(["run", "--", "true"], env, momHere);
    expect(sentence).toMatch(/^mom: There is no image at .*\. Run: \.\/mom image build$/);
    expect(status).toBe(1);
  });
});

describe("bad surroundings", () => {
  const root = new URL("../../", import.meta.url).pathname;

  test.each(["app", "worker"])("of the %s end it with a sentence", async (part) => {
    const slack = await startSlack({ workspace: workspaceWithMom(root, {}) });
    onTestFinished(() => slack.close());
    const { botToken, appToken } = slack.workspace.config.app;
    const closed = await freePort();
    const good = {
      ...data.env,
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: botToken,
      SLACK_APP_TOKEN: appToken,
      REDIS_URL: `redis://127.0.0.1:${closed}`,
    };
    // A worker asks Slack first, an app its queue.
    const withRedis = part === "worker" ? good : { ...good, REDIS_URL: await someRedis() };
    const cases: [Record<string, string>, string][] = [
      [good, `mom: Redis at redis://127.0.0.1:${closed} cannot be used`],
      [{ ...good, REDIS_URL: "127.0.0.1:6379" }, "mom: REDIS_URL must be an address such as"],
      [{ ...withRedis, SLACK_BOT_TOKEN: "xoxb-wrong" }, "mom: Slack refuses SLACK_BOT_TOKEN"],
      [
        { ...withRedis, SLACK_API_URL: `http://127.0.0.1:${closed}/api/` },
        `mom: Slack at http://127.0.0.1:${closed}/api/ cannot be used`,
      ],
    ];
    for (const [env, sentence] of cases) {
      const failed = await failsWith([part], { ...env, MOM_LOG_LEVEL: "fatal" }, momHere);
      expect(failed.sentence).toContain(sentence);
      expect(failed.status).toBe(1);
    }
  });

  async function someRedis(): Promise<string> {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    return redis.url;
  }
});

function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else linkSync(source, target);
  }
}

/** Cuts a file short, not its other names: first it becomes a file of its own. */
function cut(path: string, bytes: number): void {
  copyFileSync(path, `${path}.own`);
  unlinkSync(path);
  copyFileSync(`${path}.own`, path);
  unlinkSync(`${path}.own`);
  truncateSync(path, bytes);
}

function largestBelow(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const [largest] = files.sort((a, b) => statSync(b).size - statSync(a).size);
  if (largest === undefined) throw new Error(`${folder} is empty`);
  return largest;
}
