import { execFile } from "node:child_process";
import { connect } from "node:net";
import { type DetailedPeerCertificate, connect as tlsConnect } from "node:tls";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { nodeHost, Policy, Relay } from "../../relay/index.ts";
import type { Machine } from "../../workers/machine/machine.ts";
import { output, startMachine } from "../machine/support/machine.ts";

// Where this host's own package managers get theirs from, a guest does, too: one small package each. A host that
// reaches no mirror or registry says so, and the test is skipped.

const run = promisify(execFile);
const REACH_MS = 10_000;
const DEADLINE_MS = 900_000;
/** 8 KB, and needs no other. Of a part of Debian whose index a guest reads in seconds; that of main has 45 MB. */
const DEBIAN_PACKAGE = "crafty-bitmaps";
const NPM_PACKAGE = "ms";

class OutOfReach extends Error {}

/** What a guest needs to be let there. */
interface Way {
  url: URL;
  rules: string;
  /** PEM of what vouches for it here, over HTTPS. */
  authority: string;
}

/** As an operator would: where the address is closed, the policy opens just that address, for just that port. */
async function wayTo(text: string): Promise<Way> {
  const url = new URL(text);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const relay = new Relay({ host: nodeHost(), policy: Policy.internet(), send: () => {} });
  const { addresses, verdict, why } = await relay.explain(url.hostname, port);
  const [first] = addresses;
  if (first === undefined) throw new OutOfReach(why);
  await reach(first.address, port).catch((error: unknown) => {
    throw new OutOfReach(`${url.hostname} cannot be reached from here: ${error}`);
  });
  const opened = addresses.flatMap((each) =>
    each.verdict === "allow" ? [] : [`allow tcp ${each.address} ${port}`],
  );
  if (verdict === "deny") console.info(`${why} The policy of this test opens it.`);
  const authority = url.protocol === "https:" ? await authorityOf(url.hostname, port) : "";
  return { url, rules: [...opened, "deny tcp any 25", "allow any"].join("\n"), authority };
}

function reach(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: REACH_MS });
    socket.once("connect", () => resolve());
    socket.once("timeout", () => reject(new Error("no answer")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.once("connect", () => socket.destroy());
  });
}

/** The last of the chain: it may be one that only this host trusts. */
async function authorityOf(host: string, port: number): Promise<string> {
  const socket = tlsConnect({ host, port, servername: host });
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  }).catch((error: unknown) => {
    throw new OutOfReach(`${host} does not prove itself to this host: ${error}`);
  });
  let last: DetailedPeerCertificate = socket.getPeerCertificate(true);
  while (last.issuerCertificate && last.issuerCertificate !== last) last = last.issuerCertificate;
  socket.destroy();
  const lines = last.raw.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

async function guestWith({ rules, authority }: Way): Promise<Machine> {
  const network = { backend: "relay", rules, hostPorts: [], limits: {} } as const;
  return startMachine({ parameters: { network, certificates: authority } });
}

async function inGuest<T>(way: Way, work: (machine: Machine) => Promise<T>): Promise<T> {
  const machine = await guestWith(way);
  try {
    return await work(machine);
  } finally {
    await machine.stop();
  }
}

/** Debian's mirror, as this host's apt names it. */
async function debianMirror(): Promise<string> {
  const format = "$(ORIGIN)\t$(LABEL)\t$(REPO_URI)";
  const args = ["indextargets", "--format", format, "Identifier: Packages"];
  const { stdout } = await run("apt-get", args).catch(() => ({ stdout: "" }));
  const rows = stdout.split("\n").map((row) => row.split("\t"));
  const found = rows.find(([origin, label]) => origin === "Debian" && label === "Debian");
  if (found?.[2] === undefined) throw new OutOfReach("apt names no Debian mirror here");
  return found[2];
}

async function npmRegistry(): Promise<string> {
  const { stdout } = await run("npm", ["config", "get", "registry"]).catch(() => ({ stdout: "" }));
  const url = stdout.trim();
  if (!URL.canParse(url)) throw new OutOfReach("npm names no registry here");
  return url;
}

async function wayOrSkip(named: Promise<string>, skip: (reason: string) => never): Promise<Way> {
  return named.then(wayTo).catch((error: unknown) => {
    if (error instanceof OutOfReach) return skip(error.message);
    throw error;
  });
}

test(
  "apt installs a package from Debian's mirror",
  async ({ skip }) => {
    const way = await wayOrSkip(debianMirror(), skip);
    const said = await inGuest(way, (machine) =>
      output(
        machine,
        `. /etc/os-release
        keyring=/usr/share/keyrings/debian-archive-keyring.gpg
        rm -f /etc/apt/sources.list.d/*
        echo "deb [signed-by=$keyring] ${way.url} $VERSION_CODENAME contrib" >/etc/apt/sources.list
        apt-get -qq update && apt-get -qq -y install ${DEBIAN_PACKAGE} >&2 && dpkg-query -W -f '\${Status}' ${DEBIAN_PACKAGE}`,
        { timeoutMs: DEADLINE_MS },
      ),
    );
    expect(said).toBe("install ok installed");
  },
  DEADLINE_MS,
);

test(
  "npm installs a package from the registry",
  async ({ skip }) => {
    const way = await wayOrSkip(npmRegistry(), skip);
    const said = await inGuest(way, (machine) =>
      output(
        machine,
        `npm install --silent --no-audit --no-fund --registry ${way.url} ${NPM_PACKAGE} && node -p "require('${NPM_PACKAGE}')('2 days')"`,
        { timeoutMs: DEADLINE_MS },
      ),
    );
    expect(said).toMatch(/172800000\n$/);
  },
  DEADLINE_MS,
);
