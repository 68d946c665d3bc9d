import { expect, test } from "vitest";
import { mayHaveToken } from "../../../workers/slack/hosts.ts";

const slack = "https://slack.com/api/";
const local = "http://127.0.0.1:4000/api/";

test.each([
  ["https://files.slack.com/files-pri/T1-F1/a.csv", slack, true],
  ["https://slack.com/x", slack, true],
  ["https://acme.slack.com/x", slack, true],
  ["http://127.0.0.1:4000/files/x", local, true],
  ["http://files.slack.com/x", slack, false],
  ["https://files.slack.com:8443/x", slack, false],
  ["https://evilslack.com/x", slack, false],
  ["https://slack.com.evil.example/x", slack, false],
  ["https://files.slack.com@evil.example/x", slack, false],
  ["http://127.0.0.1:4001/files/x", local, false],
  ["https://127.0.0.1:4000/files/x", local, false],
  ["https://drive.google.com/x", slack, false],
  ["file:///etc/passwd", slack, false],
  ["data:text/plain,x", slack, false],
])("the token for %s (API at %s): %s", (url, apiUrl, allowed) => {
  expect(mayHaveToken(new URL(url), apiUrl)).toBe(allowed);
});
