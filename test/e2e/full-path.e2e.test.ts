import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { testGuest } from "../support/guest.ts";
import { type RunningDemo, startDemo } from "./support/demo.ts";

/** What a person does after `./mom demo`, in a real browser, on nothing but real parts. */

const ARTIFACTS = new URL("../../artifacts/", import.meta.url).pathname;
/** A machine may be starting, on a computer that has other things to do. */
const ANSWER_WITHIN_MS = 60_000;

let demo: RunningDemo;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  const guest = await testGuest();
  [demo, browser] = await Promise.all([
    startDemo(guest),
    chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  expect(await demo?.stop()).toBe(0);
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(ANSWER_WITHIN_MS);
  page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(demo.pageUrl);
  await page.getByRole("heading", { name: "# general", level: 1 }).waitFor();
});

afterEach(() => context.close());

const thread = () => page.getByRole("complementary", { name: "Thread" });

/** Messages in the open thread, the first one included. */
const inThread = () => thread().getByRole("listitem");

/** Types into the channel's composer, and opens the thread that it leads to. */
async function startThread(text: string): Promise<void> {
  const before = await page.getByRole("button", { name: /\d repl/ }).count();
  const composer = page.getByRole("textbox", { name: "Message #general" });
  await composer.pressSequentially(text);
  await composer.press("Enter");
  await page
    .getByRole("button", { name: /\d repl/ })
    .nth(before)
    .click();
  await thread().waitFor();
}

/** Types a reply and gives the answer to it once that is final. */
async function reply(
  text: string,
  files: { name: string; bytes: Buffer }[] = [],
): Promise<Locator> {
  const before = await inThread().count();
  if (files.length > 0) {
    await thread()
      .getByLabel("Choose files")
      .setInputFiles(
        files.map(({ name, bytes }) => ({
          name,
          mimeType: "application/octet-stream",
          buffer: bytes,
        })),
      );
  }
  const composer = thread().getByRole("textbox", { name: "Reply…" });
  await composer.fill(text);
  await composer.press("Enter");
  return answer(before + 1);
}

/** The message at this place in the thread, once it tells how the command ended. */
async function answer(index: number): Promise<Locator> {
  const message = inThread().nth(index);
  await message
    .getByText(/[✓✗] exit \d|⏱ stopped|✂ stopped|■ stopped|⚠/)
    .first()
    .waitFor();
  return message;
}

const screenshot = (name: string) => page.screenshot({ path: `${ARTIFACTS}mom-${name}.png` });

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("/mom is answered in a thread of its own, and the thread is one computer from then on", async () => {
  await startThread("/mom python3 -c 'print(2**100)'");
  expect(await inThread().first().textContent()).toContain("python3 -c 'print(2**100)'");
  const first = await answer(1);
  expect(await first.locator("pre").textContent()).toBe("1267650600228229401496703205376");

  const second = await reply("@mom cd /tmp && echo hi > a && pwd");
  expect(await second.locator("pre").textContent()).toBe("/tmp");
  const third = await reply("@mom cat a; pwd");
  expect(await third.locator("pre").textContent()).toBe("hi\n/tmp");
  expect(await inThread().count()).toBe(6);
  await screenshot("thread");
});

test("an attached CSV is read, and what is written to ~/out comes back byte for byte", async () => {
  await startThread("@mom echo ready");
  await answer(1);
  const csv = Buffer.from("day,visits\nmon,1204\ntue,981\nwed,1377\n");
  const summed = await reply(
    `@mom python3 -c "import csv; print(sum(int(row['visits']) for row in csv.DictReader(open('visits.csv'))))"`,
    [{ name: "visits.csv", bytes: csv }],
  );
  expect(await summed.locator("pre").textContent()).toBe("3562");

  const bytes = randomBytes(300_000);
  const copied = await reply(
    "@mom cp data.bin ~/out/copy.bin && echo hi > named && attach named && sha256sum data.bin",
    [{ name: "data.bin", bytes }],
  );
  expect(await copied.locator("pre").textContent()).toContain(sha256(bytes));
  const card = thread().getByRole("figure", { name: "File copy.bin" });
  await card.waitFor();
  const downloading = page.waitForEvent("download");
  await card.getByRole("link", { name: "Download copy.bin" }).click();
  const path = await (await downloading).path();
  expect(sha256(await readFile(path))).toBe(sha256(bytes));
  await thread().getByRole("figure", { name: "File named" }).waitFor();
  // It is still there, and is not sent again.
  const listed = await reply("@mom ls ~/out");
  expect(await listed.locator("pre").textContent()).toBe("copy.bin");
  expect(await card.count()).toBe(1);
  await screenshot("files");
});

test("a long command shows its output as it comes, and its Stop button ends it", async () => {
  await startThread("@mom for i in 1 2 3; do echo step $i; sleep 0.5; done; sleep 1000");
  const running = inThread().nth(1);
  await running.getByText("step 3").waitFor();
  await running.getByText(/⏳ running/).waitFor();
  await screenshot("running");
  await running.getByRole("button", { name: "Stop" }).click();
  const stopped = await answer(1);
  await stopped.getByText(/■ stopped by/).waitFor();
  expect(await stopped.locator("pre").first().textContent()).toBe("step 1\nstep 2\nstep 3");
  expect(await stopped.getByRole("button", { name: "Stop" }).count()).toBe(0);
  const next = await reply("@mom echo and goes on");
  expect(await next.locator("pre").textContent()).toBe("and goes on");
  await screenshot("stopped");
});

test("long output shows its ends and is attached whole", async () => {
  await startThread("@mom seq 1 5000");
  const message = await answer(1);
  const shown = (await message.locator("pre").first().textContent()) ?? "";
  expect(shown).toMatch(/^1\n2\n[\s\S]*\n4999\n5000$/);
  expect(shown.split("\n").length).toBeLessThan(60);
  const card = thread().getByRole("figure", { name: "File output.txt" });
  await card.waitFor();
  const downloading = page.waitForEvent("download");
  await card.getByRole("link", { name: "Download output.txt" }).click();
  const text = await readFile(await (await downloading).path(), "utf8");
  expect(text).toBe(Array.from({ length: 5_000 }, (_, index) => `${index + 1}\n`).join(""));
  await screenshot("long-output");
});

test("both streams and the exit status of a failing command are shown", async () => {
  await startThread("@mom echo out; echo err >&2; exit 3");
  const message = await answer(1);
  expect(await message.locator("pre").allTextContents()).toEqual(["out", "err"]);
  await message.getByText("✗ exit 3").waitFor();
  await screenshot("failing");
});

test("a fenced block of Python runs, and in a direct message every message is a command", async () => {
  await page.getByRole("link", { name: "Mom" }).click();
  const composer = page.getByRole("textbox", { name: "Message Mom" });
  // Until then the list has the channel's messages.
  await composer.waitFor();
  const messages = page.getByRole("main").getByRole("listitem");
  const say = async (text: string) => {
    const before = await messages.count();
    await composer.fill(text);
    await composer.press("Enter");
    const message = messages.nth(before + 1);
    await message.getByText(/[✓✗] exit \d/).waitFor();
    return message.locator("pre").textContent();
  };
  expect(await say("x=5; cd /var; echo $((x * x))")).toBe("25");
  expect(await say("echo $x in $PWD")).toBe("5 in /var");
  expect(await say("```python\nfor word in 'one', 'two':\n    print(word.upper())\n```")).toBe(
    "ONE\nTWO",
  );
  await screenshot("direct-message");
});
