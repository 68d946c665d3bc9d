import { execFile } from "node:child_process";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { type DetailedPeerCertificate, connect as tlsConnect } from "node:tls";
import { promisify } from "node:util";
import { nodeHost, Policy, Relay } from "../../../relay/index.ts";

// Where this host's own package managers get their packages from.

const run = promisify(execFile);
const REACH_MS = 10_000;

/** A host that is none of a mirror or registry, and why. */
export class OutOfReach extends Error {}

/** What a guest needs to be let there. */
export interface Way {
  url: URL;
  /** Of the policy: what it opens for that. */
  rules: string[];
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
  const rules = addresses.flatMap((each) =>
    each.verdict === "allow" ? [] : [`allow tcp ${each.address} ${port}`],
  );
  if (verdict === "deny") console.info(`${why} The policy of this test opens it.`);
  const authority = url.protocol === "https:" ? await authorityOf(url.hostname, port) : "";
  return { url, rules, authority };
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

/** How a guest gets to what this host's apt and npm use, or why it does not. */
export async function waysToRegistries(): Promise<Record<"debian" | "npm", Way | OutOfReach>> {
  const way = (named: Promise<string>) =>
    named.then(wayTo).catch((error: unknown) => {
      if (error instanceof OutOfReach) return error;
      throw error;
    });
  const [debian, npm] = await Promise.all([way(debianMirror()), way(npmRegistry())]);
  return { debian, npm };
}

/** For a name server of a test: they may send to hosts of other names. */
export async function addressOutside(name: string): Promise<string[] | undefined> {
  if (name.endsWith(".mom.test")) return undefined;
  const found = await lookup(name, 4).catch(() => undefined);
  return found && [found.address];
}
