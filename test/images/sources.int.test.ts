import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { aptNetworkOptions, findSources } from "../../images/debian/sources.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-sources-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** An index with one package in it: apt passes over empty ones. */
const PACKAGES = "Package: x\nVersion: 1\nArchitecture: all\nFilename: x.deb\nSize: 1\n\n";

/** An apt repository on disk, with just its indexes; apt reads it like any mirror. */
async function repository(
  name: string,
  origin: string,
  label: string,
  { isInStep = true } = {},
): Promise<string> {
  const suite = join(folder, name, "dists/stable");
  const sums = ["amd64", "i386", "arm64"].map(async (architecture) => {
    const index = `main/binary-${architecture}/Packages`;
    await mkdir(join(suite, index, ".."), { recursive: true });
    await writeFile(join(suite, index), isInStep ? PACKAGES : `${PACKAGES}Package: y\n\n`);
    const sha256 = createHash("sha256").update(PACKAGES).digest("hex");
    return ` ${sha256} ${PACKAGES.length} ${index}`;
  });
  const lines = (await Promise.all(sums)).join("\n");
  const head = `Origin: ${origin}\nLabel: ${label}\nSuite: stable\nCodename: stable\n`;
  const rest = "Architectures: amd64 i386 arm64\nComponents: main\n";
  const date = `Date: ${new Date().toUTCString().replace("GMT", "UTC")}\n`;
  await writeFile(join(suite, "Release"), `${head}${rest}${date}SHA256:\n${lines}\n`);
  return `deb [trusted=yes] file:${join(folder, name)} stable main`;
}

/** Makes apt, for this process' children, one of a machine with these sources and no lists yet. */
async function machineWith(lines: string[], settings = ""): Promise<void> {
  await writeFile(join(folder, "sources.list"), lines.map((line) => `${line}\n`).join(""));
  for (const name of ["parts", "empty/partial"])
    await mkdir(join(folder, name), { recursive: true });
  const config = `Dir::Etc::SourceList "${folder}/sources.list";
Dir::Etc::SourceParts "${folder}/parts";
Dir::State::Lists "${folder}/empty";
${settings}`;
  await writeFile(join(folder, "apt.conf"), config);
  vi.stubEnv("APT_CONFIG", join(folder, "apt.conf"));
}

async function find(pausesMs: number[] = []) {
  const notes: string[] = [];
  const workDir = join(folder, "work");
  await mkdir(workDir);
  const sources = await findSources({ workDir, pausesMs, onNote: (note) => notes.push(note) });
  return { ...sources, notes };
}

test("Debian's mirror is the one apt knows, for the image's suite, checked with Debian's keys", async () => {
  await machineWith([await repository("debian", "Debian", "Debian")]);
  const { lines } = await find();
  const keys = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  expect(lines).toEqual([
    `deb ${keys} file:${folder}/debian/ bookworm main`,
    `deb ${keys} file:${folder}/debian/ bookworm-updates main`,
  ]);
});

test("other vendors' sources are left out", async () => {
  await machineWith([
    await repository("vendor", "Vendor", "Debian"),
    await repository("debian", "Debian", "Debian"),
  ]);
  const { lines } = await find();
  expect(lines.join("\n")).not.toContain("vendor");
  expect(lines).toHaveLength(2);
});

test("a security suite that cannot be had is tried again, then left out with a warning", async () => {
  await machineWith([
    await repository("debian", "Debian", "Debian"),
    await repository("security", "Debian", "Debian-Security"),
  ]);
  const { lines, warnings, notes } = await find([1, 1]);
  expect(notes).toHaveLength(2);
  expect(lines.join("\n")).not.toContain("security");
  expect(warnings).toEqual([expect.stringContaining("without the security suite")]);
});

test("a security suite that apt knows, and whose index was not fetched here yet, is tried, too", async () => {
  const debian = await repository("debian", "Debian", "Debian");
  await machineWith([debian]);
  execFileSync("apt-get", ["-qq", "update", "-o", "APT::Sandbox::User=root"]);
  await machineWith([debian, await repository("security", "Debian", "Debian-Security")]);
  const { warnings } = await find();
  expect(warnings).toEqual([expect.stringContaining("without the security suite")]);
});

test("one source whose index is out of step does not hide the others", async () => {
  await machineWith([
    await repository("security", "Debian", "Debian-Security", { isInStep: false }),
    await repository("debian", "Debian", "Debian"),
  ]);
  const { lines } = await find();
  expect(lines).toHaveLength(2);
});

test("where apt knows no Debian mirror, the choice is mmdebstrap's, and a warning says so", async () => {
  await machineWith([await repository("vendor", "Vendor", "Vendor")]);
  const { lines, warnings } = await find();
  expect(lines).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining("no Debian mirror")]);
});

test("the machine's proxy and date checks are handed on, nothing else of its apt is", async () => {
  await machineWith(
    [],
    `Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::Check-Date "false"; Acquire::Languages "de";`,
  );
  const options = await aptNetworkOptions();
  expect(options).toContain('Acquire::http::Proxy "http://127.0.0.1:9"');
  expect(options).toContain('Acquire::Check-Date "false"');
  expect(options.join("\n")).not.toContain("Languages");
});
