import { Resolver } from "node:dns/promises";
import type { DnsData, DnsRecord, DnsResult, DnsType } from "./host.ts";

const TIMEOUT_MS = 3000;
const TRIES = 2;
/** Node tells the TTL of addresses only. */
const DEFAULT_TTL_SECONDS = 60;

/**
 * Asks these name servers, or the computer's. No `hosts` file: what stands there is not the guest's business.
 *
 * @param nameServers addresses, with their port where it is not 53
 */
export function resolveWith(
  nameServers?: readonly string[],
): (name: string, type: DnsType) => Promise<DnsResult> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (nameServers !== undefined) resolver.setServers(nameServers);
  return async (name, type) => {
    try {
      const records = await lookUp(resolver, name, type);
      return { status: records.length > 0 ? "found" : "empty", records };
    } catch (error) {
      return { status: statusOf(error), records: [] };
    }
  };
}

async function lookUp(resolver: Resolver, name: string, type: DnsType): Promise<DnsRecord[]> {
  switch (type) {
    case "A": {
      const found = await resolver.resolve4(name, { ttl: true });
      return found.map(({ address, ttl }) => ({ ttlSeconds: ttl, data: { type: "A", address } }));
    }
    case "NS":
      return named("NS", await resolver.resolveNs(name));
    case "CNAME":
      return named("CNAME", await resolver.resolveCname(name));
    case "PTR":
      return named("PTR", await resolver.resolvePtr(name));
    case "MX": {
      const found = await resolver.resolveMx(name);
      return found.map(({ priority, exchange }) =>
        record({ type: "MX", preference: priority, exchange }),
      );
    }
    case "TXT": {
      const found = await resolver.resolveTxt(name);
      return found.map((strings) => record({ type: "TXT", strings }));
    }
    case "SRV": {
      const found = await resolver.resolveSrv(name);
      return found.map(({ priority, weight, port, name: target }) =>
        record({ type: "SRV", priority, weight, port, target }),
      );
    }
    case "SOA": {
      const { nsname, hostmaster, serial, refresh, retry, expire, minttl } =
        await resolver.resolveSoa(name);
      const numbers = { serial, refresh, retry, expire, minimum: minttl };
      return [record({ type: "SOA", primary: nsname, mailbox: hostmaster, ...numbers })];
    }
    case "NAPTR": {
      const found = await resolver.resolveNaptr(name);
      return found.map((each) => record({ ...each, type: "NAPTR" }));
    }
    case "CAA":
      return (await resolver.resolveCaa(name)).map(({ critical, ...properties }) => {
        // Node puts the value under its tag: `{ critical: 0, issue: "ca.example" }`.
        const [[tag, value] = ["issue", ""]] = Object.entries(properties).filter(
          ([key]) => key !== "type",
        );
        return record({ type: "CAA", critical, tag, value: String(value) });
      });
  }
}

function named(type: "NS" | "CNAME" | "PTR", names: string[]): DnsRecord[] {
  return names.map((name) => record({ type, name }));
}

function record(data: DnsData): DnsRecord {
  return { ttlSeconds: DEFAULT_TTL_SECONDS, data };
}

function statusOf(error: unknown): DnsResult["status"] {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOTFOUND") return "no-such-name";
  return code === "ENODATA" ? "empty" : "failed";
}
