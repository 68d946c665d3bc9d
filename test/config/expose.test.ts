import { expect, test } from "vitest";
import { exposeConfig, exposedUrl, workerConfig } from "../../src/config/index.ts";

const name = "a2".repeat(16);

test("without a place to listen on, no port is exposed", () => {
  expect(exposeConfig({ MOM_EXPOSE_URL: "https://apps.example.org" })).toBeUndefined();
  expect(workerConfig({ SLACK_BOT_TOKEN: "xoxb-1" }).expose).toBeUndefined();
});

const places: [listen: string, url: string | undefined, address: string][] = [
  ["127.0.0.1:8090", undefined, `http://${name}.localhost:8090/`],
  ["8090", undefined, `http://${name}.localhost:8090/`],
  ["[::1]:80", undefined, `http://${name}.localhost/`],
  ["0.0.0.0:8090", "https://apps.example.org", `https://${name}.apps.example.org/`],
  ["0.0.0.0:8090", "http://Apps.example.org:8090/", `http://${name}.apps.example.org:8090/`],
];
test.each(places)("%s, told as %s, is at %s", (listen, url, address) => {
  const config = exposeConfig({
    MOM_EXPOSE_LISTEN: listen,
    ...(url ? { MOM_EXPOSE_URL: url } : {}),
  });
  expect(config && exposedUrl(config, name)).toBe(address);
});

test("an IPv6 address is listened on without its brackets", () => {
  expect(exposeConfig({ MOM_EXPOSE_LISTEN: "[::1]:80" })?.listen).toEqual({
    host: "::1",
    port: 80,
  });
});

test.each([
  { MOM_EXPOSE_LISTEN: "localhost:8090" },
  { MOM_EXPOSE_LISTEN: "127.0.0.1:70000" },
  { MOM_EXPOSE_LISTEN: "8090", MOM_EXPOSE_URL: "apps.example.org" },
  { MOM_EXPOSE_LISTEN: "8090", MOM_EXPOSE_URL: "https://192.0.2.1" },
  { MOM_EXPOSE_LISTEN: "8090", MOM_EXPOSE_URL: "https://apps.example.org/x" },
])("%j is refused with one sentence", (env) => {
  expect(() => exposeConfig(env)).toThrow(/^MOM_EXPOSE_(LISTEN|URL) must be /);
});
