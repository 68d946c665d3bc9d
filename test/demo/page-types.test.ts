import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = new URL("../../", import.meta.url).pathname;

test("the page's code, which runs in the browser, keeps to its types", {
  timeout: 60_000,
}, async () => {
  const tsc = `${ROOT}node_modules/tsc-7/bin/tsc`;
  const checked = promisify(execFile)(process.execPath, [tsc, "-p", `${ROOT}demo/page`]);
  await expect(checked).resolves.toMatchObject({ stdout: "" });
});
