import { expect, test } from "vitest";
import { type DebianSources, installFrom } from "../../images/debian/sources.ts";
import { ImageError } from "../../images/errors.ts";

const SOURCES: DebianSources = {
  lines: ["deb http://mirror.test/debian/ bookworm main"],
  security: {
    line: "deb http://mirror.test/debian-security/ bookworm-security main",
    repository: "http://mirror.test/debian-security/",
  },
  warnings: [],
};

/** As mmdebstrap ends where apt does not get a file. */
function failure(address: string): ImageError {
  const said = [
    `Err:5 ${address} 404  Not Found`,
    `E: Failed to fetch ${address}  404  Not Found [IP: 192.0.2.1 80]`,
    "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
    "E: mmdebstrap failed to run",
  ];
  return new ImageError("BUILD_FAILED", `setpriv failed with status 25:\n${said.join("\n")}`);
}

/** Installs, but where the lines have something in them that fails. */
async function installed(fails?: { line: string; with: ImageError }) {
  const tries: string[][] = [];
  const warnings: string[] = [];
  const install = async (lines: string[]) => {
    tries.push(lines);
    if (fails !== undefined && lines.includes(fails.line)) throw fails.with;
    return "tree";
  };
  const outcome = await installFrom(SOURCES, install, (warning) => warnings.push(warning)).catch(
    (error: unknown) => error,
  );
  return { outcome, tries: tries.length, warnings };
}

const [main = "", security = ""] = [...SOURCES.lines, SOURCES.security?.line];

test("the security suite is among the sources", async () => {
  const all = { tree: "tree", lines: [main, security] };
  expect(await installed()).toEqual({ outcome: all, tries: 1, warnings: [] });
});

test("a file of the security suite that cannot be had leaves it out, with a warning", async () => {
  const missing = failure("http://mirror.test/debian-security/pool/n/node.deb");
  expect(await installed({ line: security, with: missing })).toEqual({
    outcome: { tree: "tree", lines: [main] },
    tries: 2,
    warnings: [
      "built without the security suite, whose files cannot be had now: http://mirror.test/debian-security/pool/n/node.deb  404  Not Found [IP: 192.0.2.1 80]",
    ],
  });
});

test.each([
  ["a file of another suite that cannot be had", failure("http://mirror.test/debian/pool/n.deb")],
  ["a full disk", new ImageError("DISK_FULL", "The disk is full.")],
])("%s ends the build", async (_what, error) => {
  expect(await installed({ line: main, with: error })).toEqual({
    outcome: error,
    tries: 1,
    warnings: [],
  });
});
