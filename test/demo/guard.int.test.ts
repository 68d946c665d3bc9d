import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";

let slack: LocalSlack;

beforeEach(async () => {
  slack = await startSlack({ workspace: createWorkspaceConfig() });
});

afterEach(() => slack.close());

function ask(
  path: string,
  headers: Record<string, string>,
  method = "GET",
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(slack.url, { path, method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

async function sessionCookie(): Promise<string> {
  const page = await fetch(slack.pageUrl);
  return page.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
}

test("another name for loopback is not served", async () => {
  expect((await ask("/", { Host: "evil.example" })).status).toBe(421);
  expect((await ask("/", { Host: "127.0.0.1.evil.example:80" })).status).toBe(421);
  expect((await ask("/", {})).status).toBe(200);
});

test("the page's requests need its cookie and its origin", async () => {
  const cookie = await sessionCookie();
  const you = slack.workspace.config.users[0]?.id ?? "";
  const say = (headers: Record<string, string>) =>
    ask(
      "/_page/say",
      { "Content-Type": "application/json", ...headers },
      "POST",
      JSON.stringify({ user: you, channel: "general", text: "hi" }),
    );
  expect((await say({})).status).toBe(403);
  expect((await say({ Cookie: cookie, Origin: "http://evil.example" })).status).toBe(403);
  expect((await say({ Cookie: cookie, "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
  expect((await say({ Cookie: cookie, Origin: slack.url })).status).toBe(200);
});

test("the control address takes JSON of its own origin only, and gives out no token", async () => {
  const fault = JSON.stringify({ kind: "hang" });
  const json = { "Content-Type": "application/json" };
  const plain = await ask("/_local/faults", { "Content-Type": "text/plain" }, "POST", fault);
  expect(plain.status).toBe(415);
  const cross = await ask("/_local/faults", { ...json, Origin: "http://a.b" }, "POST", fault);
  expect(cross.status).toBe(403);
  const wrong = await ask("/_local/faults", json, "POST", JSON.stringify({ kind: "earthquake" }));
  expect(wrong.status).toBe(400);
  expect((await ask("/_local/faults", json, "POST", fault)).status).toBe(200);
  expect(slack.faults.pending()).toEqual([{ kind: "hang", method: "*", times: 1 }]);
  const { botToken, appToken, signingSecret } = slack.workspace.config.app;
  for (const path of ["/", "/_local/calls", "/_local/deliveries", "/_local/faults"]) {
    const { text } = await ask(path, {});
    for (const secret of [botToken, appToken, signingSecret]) expect(text).not.toContain(secret);
  }
});

test.each([
  "/page/../index.ts",
  "/page/..%2findex.ts",
  "/page/%2e%2e/index.ts",
  "/page/tsconfig.json",
  "/page//etc/passwd",
  "/index.ts",
])("%s is not found", async (path) => {
  expect((await ask(path, {})).status).toBe(404);
});

test("a file is only ever saved, never run as a page of this origin", async () => {
  const you = slack.workspace.config.users[0]?.id ?? "";
  const bytes = new TextEncoder().encode("<script>alert(1)</script>");
  const name = 'a";\r\nX-Evil: 1/../é.html';
  const message = slack.people.say(you, "general", "", { files: [{ name, bytes }] });
  const file = message.files?.[0];
  if (!file) throw new Error("no file");
  const response = await fetch(file.url_private, { headers: { Cookie: await sessionCookie() } });
  expect(await response.text()).toBe("<script>alert(1)</script>");
  expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename\*=UTF-8''/);
  expect(response.headers.get("content-security-policy")).toContain("sandbox");
  expect(response.headers.get("x-evil")).toBeNull();
});

test("a body over the limit is refused and not held", async () => {
  const { botToken } = slack.workspace.config.app;
  const headers = { Authorization: `Bearer ${botToken}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ channel: "general", text: "x".repeat(3 * 1024 * 1024) });
  const response = await fetch(`${slack.apiUrl}chat.postMessage`, {
    method: "POST",
    headers,
    body,
  });
  expect(await response.json()).toEqual({ ok: false, error: "request_too_large" });
});
