import type { Access } from "./access.ts";
import { type Ipv4, parseIpv4 } from "./address.ts";
import type { AnsweredNames } from "./answered-names.ts";
import { DnsCache } from "./dns-cache.ts";
import {
  parseQuery,
  type Question,
  RCODE,
  type Rcode,
  TYPE_ANY,
  TYPES,
  writeAnswer,
  writeError,
} from "./dns-message.ts";
import type { DnsRecord, DnsResult, Host } from "./host.ts";
import type { Policy } from "./policy.ts";
import { closedRangeOf } from "./ranges.ts";
import { endsInNumber } from "./rules.ts";

/** The guest's name server: asks the computer's resolver, and gives only answers that the guest may use. */

export const DNS_PORT = 53;
export const MAX_TCP_MESSAGE_BYTES = 0xffff;

export interface DnsOptions {
  host: Host;
  policy: Policy;
  access: Access;
  names: AnsweredNames;
  maxPending: number;
}

interface Answer {
  rcode: Rcode;
  records: DnsRecord[];
}

export class Dns {
  readonly #options: DnsOptions;
  readonly #cache: DnsCache;
  /** Questions that the resolver has not answered, so that it is asked once. */
  readonly #pending = new Map<string, Promise<DnsResult>>();
  #waiting = 0;
  /** Answers to an earlier guest are not for this one, nor what is known from it. */
  #life = 0;

  constructor(options: DnsOptions) {
    this.#options = options;
    this.#cache = new DnsCache(() => options.host.nowMs());
  }

  get pendingCount(): number {
    return this.#waiting;
  }

  forget(): void {
    this.#life++;
    this.#cache.clear();
    this.#pending.clear();
  }

  /** Answers a message, at once or later, or never when it is no query. `isTcp`: it need not fit into a datagram. */
  answer(message: Uint8Array, isTcp: boolean, reply: (answer: Uint8Array) => void): void {
    const question = parseQuery(message);
    if (question === undefined) return;
    if (!("name" in question)) {
      reply(writeError(question.id, question.rcode));
      return;
    }
    const maxBytes = isTcp ? MAX_TCP_MESSAGE_BYTES : question.udpBytes;
    const write = ({ rcode, records }: Answer) => {
      reply(writeAnswer(question, rcode, records, maxBytes));
    };
    const known = this.#answerAtOnce(question);
    if (known !== undefined) {
      write(known);
      return;
    }
    if (this.#waiting >= this.#options.maxPending) {
      write({ rcode: RCODE.failed, records: [] });
      return;
    }
    this.#waiting++;
    const life = this.#life;
    void this.#lookUp(question).then((result) => {
      this.#waiting--;
      if (life === this.#life) write(this.#judge(question, result));
    });
  }

  #answerAtOnce(question: Question): Answer | undefined {
    const { name, typeNumber } = question;
    const none: Answer = { rcode: RCODE.ok, records: [] };
    if (typeNumber === TYPE_ANY) return { rcode: RCODE.unknown, records: [] };
    if (name === "localhost" || name.endsWith(".localhost")) {
      // RFC 6761, 6.3: the guest itself.
      const data = { type: "A", address: "127.0.0.1" } as const;
      return TYPES.get(typeNumber) === "A"
        ? { ...none, records: [{ ttlSeconds: 3600, data }] }
        : none;
    }
    if (name === "" || endsInNumber(name)) return { rcode: RCODE.noSuchName, records: [] };
    if (isClosedReverse(name)) return { rcode: RCODE.noSuchName, records: [] };
    if (!name.endsWith(".arpa") && !this.#options.policy.mayResolve(name)) {
      this.#options.access.refuseName(name, "name not allowed");
      return { rcode: RCODE.refused, records: [] };
    }
    const type = TYPES.get(typeNumber);
    // There is no IPv6 on this wire, and nothing to say about types that we do not know.
    if (type === undefined) return none;
    const cached = this.#cache.get(`${type} ${name}`);
    return cached && this.#judge(question, cached);
  }

  async #lookUp({ name, typeNumber }: Question): Promise<DnsResult> {
    const type = TYPES.get(typeNumber) ?? "A";
    const key = `${type} ${name}`;
    const known = this.#pending.get(key);
    if (known !== undefined) return known;
    const asked = this.#options.host
      .resolve(name, type)
      .catch((): DnsResult => ({ status: "failed", records: [] }));
    this.#pending.set(key, asked);
    const result = await asked;
    if (this.#pending.get(key) !== asked) return result;
    this.#pending.delete(key);
    this.#cache.set(key, result);
    return result;
  }

  #judge({ name }: Question, result: DnsResult): Answer {
    if (result.status === "failed") return { rcode: RCODE.failed, records: [] };
    if (result.status === "no-such-name") return { rcode: RCODE.noSuchName, records: [] };
    const { access, names } = this.#options;
    const records = result.records.filter(
      ({ data }) => data.type !== "A" || access.mayAnswer(data.address),
    );
    if (records.length === 0 && result.records.length > 0) {
      // A name of the outside that points inside (rebinding), or one of the operator's own network.
      access.refuseName(name, "name of a closed address");
      return { rcode: RCODE.refused, records: [] };
    }
    for (const { data, ttlSeconds } of records) {
      const address = data.type === "A" ? parseIpv4(data.address) : undefined;
      if (address !== undefined) names.add(address, name, ttlSeconds);
    }
    return { rcode: RCODE.ok, records };
  }
}

/** Names of closed addresses are nobody's business out there (RFC 6303). */
function isClosedReverse(name: string): boolean {
  const suffix = ".in-addr.arpa";
  if (!name.endsWith(suffix)) return false;
  const address = parseReverse(name.slice(0, -suffix.length));
  return address === undefined || closedRangeOf(address) !== undefined;
}

function parseReverse(labels: string): Ipv4 | undefined {
  return parseIpv4(labels.split(".").reverse().join("."));
}
