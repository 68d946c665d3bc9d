import { describe, expect, test } from "vitest";
import { parseDisguisedIpv4, parseIpv4 } from "../../relay/address.ts";
import { Policy, PolicyError } from "../../relay/index.ts";
import { matchesDomain } from "../../relay/rules.ts";
import { query, readAnswer } from "./support/dns.ts";
import { FLAG, hex, readIcmp, tcpFrame, udpFrame } from "./support/frames.ts";
import { clientHello } from "./support/tls.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

/** One address of every range that is closed, and its first and last. */
const CLOSED = [
  ["0.0.0.0", "this network"],
  ["0.1.2.3", "this network"],
  ["10.0.0.1", "private"],
  ["10.255.255.255", "private"],
  ["100.64.0.1", "shared"],
  ["100.127.255.255", "shared"],
  ["100.100.100.200", "metadata"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["168.63.129.16", "metadata"],
  ["169.254.169.254", "metadata"],
  ["169.254.0.1", "link-local"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.0.0.1", "protocol assignments"],
  ["192.0.2.1", "documentation"],
  ["192.168.0.1", "private"],
  ["192.168.255.255", "private"],
  ["198.18.0.1", "benchmarking"],
  ["198.51.100.1", "documentation"],
  ["203.0.113.1", "documentation"],
  ["198.51.100.9", "the host itself"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.254", "reserved"],
  ["10.0.2.77", "the guest's own network"],
  ["10.0.2.2", "host port"],
] as const;

describe("closed addresses", () => {
  test.each(CLOSED)("%s: by TCP and UDP prohibited at once, as %s", (address, reason) => {
    const world = new World({ policy: Policy.parse("allow 0.0.0.0/0\nallow any") });
    const [tcp] = world.send(
      tcpFrame({
        destination: address,
        sourcePort: 5,
        destinationPort: 80,
        sequence: 1,
        flags: FLAG.syn,
      }),
    );
    expect(readIcmp(tcp ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    const [udp] = world.send(udpFrame({ address, port: 53 }, 40_000, Buffer.from("x")));
    expect(readIcmp(udp ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    expect(world.refusals).toEqual([
      `tcp ${address}:80: ${reason}`,
      `udp ${address}:53: ${reason}`,
    ]);
    expect(world.host.streams).toEqual([]);
    expect(world.host.sockets).toEqual([]);
  });

  test.each(["224.0.0.1", "239.255.255.255", "255.255.255.255", "10.0.2.255"])(
    "%s: nothing is sent to a group",
    (address) => {
      const world = new World({ policy: Policy.parse(`allow ${address}`) });
      const fields = { sourcePort: 5, destinationPort: 80, sequence: 1, flags: FLAG.syn };
      expect(world.send(tcpFrame({ ...fields, destination: address }))).toEqual([]);
      expect(world.host.streams).toEqual([]);
    },
  );

  test.each(CLOSED.filter(([, reason]) => reason !== "host port"))(
    "%s: a name that leads there is not answered",
    async (address) => {
      const world = new World();
      world.host.answerA("evil.example", [address]);
      const explained = await world.relay.explain("evil.example", 80);
      expect(explained.verdict).toBe("deny");
      const { answer } = await lookUp(world, "evil.example");
      expect(answer.rcode).toBe(5);
      expect(world.refusals).toContain("dns evil.example: name of a closed address");
    },
  );

  test("a name that changes its mind is judged by the address connected to (rebinding)", async () => {
    const world = new World({ policy: Policy.parse("allow tcp *.example 80") });
    world.host.answerA("a.example", [SERVER], 0);
    await lookUp(world, "a.example");
    world.host.answerA("a.example", ["127.0.0.1"], 0);
    expect((await lookUp(world, "a.example")).answer.rcode).toBe(5);
    const fields = { sourcePort: 5, destinationPort: 80, sequence: 1, flags: FLAG.syn };
    const [answer] = world.send(tcpFrame({ ...fields, destination: "127.0.0.1" }));
    expect(readIcmp(answer ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    world.send(tcpFrame({ ...fields, destination: SERVER }));
    expect(world.stream.target.address).toBe(SERVER);
  });

  test.each([
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "2130706433",
    "017700000001",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
    "::ffff:0:127.0.0.1",
    "127.0.0.1.",
  ])("%s is understood as loopback, and closed", async (spelling) => {
    expect(parseDisguisedIpv4(spelling)).toBe(0x7f000001);
    const { verdict, why } = await new World().relay.explain(spelling, 80);
    expect(verdict).toBe("deny");
    expect(why).toContain("loopback");
  });

  test.each(["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "example.0x7f"])(
    "the name %s is never given to the resolver",
    async (name) => {
      const world = new World();
      const { answer } = await lookUp(world, name);
      expect(answer.rcode).toBe(3);
      expect(world.host.asked).toEqual([]);
    },
  );

  test.each([
    "01.2.3.4",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.-4",
    "+1.2.3.4",
    "1e1.2.3.4",
    "",
  ])("%j is no address", (text) => expect(parseIpv4(text)).toBeUndefined());
});

describe("rules", () => {
  const decide = (rules: string, address: string, port: number, protocol: "tcp" | "udp" = "tcp") =>
    Policy.parse(rules).decide({ protocol, address: parseIpv4(address) ?? 0, port }, [], false);

  test("the first that matches wins, and what none allows is denied", () => {
    const rules = "deny 93.184.0.0/16 80\nallow tcp any 80,443,8000-8999 # web\n";
    expect(decide(rules, SERVER, 80)).toMatchObject({ verdict: "deny", reason: "rule" });
    expect(decide(rules, SERVER, 443)).toMatchObject({ verdict: "allow" });
    expect(decide(rules, SERVER, 8500)).toMatchObject({ verdict: "allow" });
    expect(decide(rules, SERVER, 9000)).toEqual({ verdict: "deny", reason: "no rule allows it" });
    expect(decide(rules, SERVER, 443, "udp")).toMatchObject({ verdict: "deny" });
  });

  test("a closed range is opened only by a rule within it", () => {
    expect(decide("allow 192.168.1.0/24", "192.168.1.7", 80).verdict).toBe("allow");
    expect(decide("allow 192.0.0.0/8", "192.168.1.7", 80).verdict).toBe("deny");
    expect(decide("allow 169.254.0.0/16", "169.254.169.254", 80).verdict).toBe("deny");
    expect(decide("allow 169.254.169.254", "169.254.169.254", 80).verdict).toBe("allow");
    expect(decide("allow 0.0.0.0/8", "0.0.0.0", 80).verdict).toBe("deny");
    expect(decide("allow 224.0.0.0/4", "224.0.0.1", 80).verdict).toBe("deny");
  });

  test("an address of the host's own is opened by no rule but its own", () => {
    const at = (rules: string) =>
      Policy.parse(rules).decide({ protocol: "tcp", address: 0x08080808, port: 1 }, [], true);
    expect(at("allow any").reason).toBe("the host itself");
    expect(at("allow 8.0.0.0/8").verdict).toBe("deny");
    expect(at("allow 8.8.8.8").verdict).toBe("allow");
  });

  test("mail is closed unless a rule names its port", () => {
    const open = { protocol: "tcp", address: parseIpv4(SERVER) ?? 0, port: 25 } as const;
    expect(Policy.internet().decide(open, [], false)).toMatchObject({
      verdict: "deny",
      reason: "mail",
    });
    expect(decide("allow any", SERVER, 25).verdict).toBe("deny");
    expect(decide("allow any 25", SERVER, 25).verdict).toBe("allow");
    expect(Policy.internet().decide({ ...open, port: 587 }, [], false).verdict).toBe("allow");
  });

  test.each([
    ["permit any", "begins with"],
    ["allow", "no address"],
    ["allow any http", "no port"],
    ["allow any 0", "no port"],
    ["allow any 9-8", "no port"],
    ["allow any 70000", "no port"],
    ["allow 10.0.0.1/8", "no address"],
    ["allow 010.0.0.1", "no address"],
    ["allow 10.0.0.0/33", "no address"],
    ["allow exa*mple.org", "no address"],
    ["allow *", "no address"],
    ["allow udp example.org", "TCP only"],
    ["allow icmp any 80", "no ports"],
    ["allow any 80 now", "too much"],
  ])("%s: refused with the line and the reason", (line, why) => {
    expect(() => Policy.parse(`# first\n${line}`)).toThrow(PolicyError);
    expect(() => Policy.parse(`# first\n${line}`)).toThrow("Line 2 of the network policy");
    expect(() => Policy.parse(line)).toThrow(why);
  });

  test("patterns have names below them, not beside them", () => {
    expect(matchesDomain("*.example.org", "a.b.example.org")).toBe(true);
    expect(matchesDomain("*.example.org", "example.org")).toBe(false);
    expect(matchesDomain("*.example.org", "badexample.org")).toBe(false);
    expect(matchesDomain("*.example.org", "example.org.evil.net")).toBe(false);
    expect(matchesDomain("example.org", "a.example.org")).toBe(false);
  });
});

describe("host ports", () => {
  test("a listed port at the gateway is the host's loopback, others are closed", () => {
    const world = new World({ policy: Policy.none([8080]) });
    new HandTcp(world, "10.0.2.2", 8080).syn();
    expect(world.stream.target).toEqual({ address: "127.0.0.1", port: 8080 });
    world.stream.events.onConnect("127.0.0.1");
    expect(world.takeTcp()).toMatchObject([{ source: "10.0.2.2", flags: FLAG.syn | FLAG.ack }]);
    const closed = tcpFrame({
      destination: "10.0.2.2",
      sourcePort: 5,
      destinationPort: 8081,
      sequence: 1,
      flags: FLAG.syn,
    });
    expect(readIcmp(world.send(closed)[0] ?? hex(""))).toMatchObject({ code: 13 });
  });
});

describe("domains", () => {
  const rules = "deny tcp secret.example 443\nallow tcp *.example 443,80\nallow tcp 1.1.1.0/24 443";

  async function connectTo(name: string | undefined, port = 443, address = SERVER, text = rules) {
    const world = new World({ policy: Policy.parse(text) });
    if (name !== undefined) {
      world.host.answerA(name, [address]);
      await lookUp(world, name);
    }
    const tcp = new HandTcp(world, address, port);
    return { world, tcp };
  }

  test("an address that no name led to is not connected to", async () => {
    const { world, tcp } = await connectTo(undefined);
    const syn = tcpFrame({ ...tcp.to, sequence: 1, flags: FLAG.syn });
    expect(readIcmp(world.send(syn)[0] ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    expect(world.host.streams).toEqual([]);
  });

  test("TLS passes with the name that was looked up, and only its bytes reach the host", async () => {
    const { world, tcp } = await connectTo("www.example");
    tcp.open();
    const hello = clientHello("www.example");
    tcp.data(hello.subarray(0, 50));
    expect(world.stream.text).toBe("");
    tcp.data(hello.subarray(50));
    expect(world.stream.text).toBe(hello.toString("latin1"));
    tcp.data("more");
    expect(world.stream.text.endsWith("more")).toBe(true);
  });

  test.each([
    ["another name of the rule that has another address", "other.example"],
    ["a name outside the rule", "evil.net"],
    ["a name that is denied", "secret.example"],
    ["no name", undefined],
  ])("TLS with %s is reset before the host hears a byte", async (_what, said) => {
    const { world, tcp } = await connectTo("www.example");
    tcp.open();
    const answers = tcp.data(clientHello(said));
    expect(answers.at(-1)?.flags).toBe(FLAG.rst | FLAG.ack);
    expect(world.stream).toMatchObject({ text: "", destroyed: "reset" });
    expect(world.refusals).toHaveLength(1);
  });

  test.each([
    ["GET / HTTP/1.1\r\nHost: www.example\r\n\r\n", true],
    ["GET / HTTP/1.1\r\nhost:  WWW.example:80 \r\nA: b\r\n\r\n", true],
    ["GET / HTTP/1.1\r\nHost: evil.net\r\n\r\n", false],
    ["GET / HTTP/1.1\r\nHost: www.example\r\nHost: evil.net\r\n\r\n", false],
    ["GET http://evil.net/ HTTP/1.1\r\nHost: www.example\r\n\r\n", false],
    ["GET / HTTP/1.0\r\n\r\n", false],
  ])("HTTP %j passes: %s", async (request, passes) => {
    const { world, tcp } = await connectTo("www.example", 80);
    tcp.open();
    tcp.data(request);
    expect(world.stream.text).toBe(passes ? request : "");
    expect(world.stream.destroyed).toBe(passes ? "no" : "reset");
  });

  test("other protocols pass when all names of the address are allowed", async () => {
    const { world, tcp } = await connectTo("git.example", 80);
    tcp.open();
    tcp.data("SSH-2.0-x\r\n");
    expect(world.stream.text).toBe("SSH-2.0-x\r\n");
    const other = await connectTo("git.example", 80, SERVER, `${rules}\nallow tcp evil.net 443`);
    other.world.host.answerA("evil.net", [SERVER]);
    await lookUp(other.world, "evil.net");
    other.tcp.open();
    other.tcp.data("SSH-2.0-x\r\n");
    expect(other.world.stream.text).toBe("");
  });

  test("names that no rule can allow are not looked up at all", async () => {
    const { world } = await connectTo(undefined, 443, SERVER, "allow tcp *.example 443");
    expect((await lookUp(world, "data.evil.net")).answer.rcode).toBe(5);
    expect(world.host.asked).toEqual([]);
    expect((await lookUp(new World({ policy: Policy.none() }), "a.example")).answer.rcode).toBe(5);
  });

  test("a name is denied on shared addresses although they are open", async () => {
    const text = "deny tcp bad.example\nallow any";
    const { world, tcp } = await connectTo(undefined, 443, SERVER, text);
    tcp.open();
    tcp.data(clientHello("bad.example"));
    expect(world.stream).toMatchObject({ text: "", destroyed: "reset" });
    const good = await connectTo(undefined, 443, SERVER, text);
    good.tcp.open();
    good.tcp.data(clientHello("good.example"));
    expect(good.world.stream.text).not.toBe("");
  });

  test.each([
    ["no name", undefined],
    ["a name that was not looked up", "good.example"],
  ])("a denied name's address is denied to who looked it up and says %s", async (_what, said) => {
    const text = "deny tcp bad.example\nallow any";
    const { world, tcp } = await connectTo("bad.example", 443, SERVER, text);
    tcp.open();
    tcp.data(clientHello(said));
    expect(world.stream).toMatchObject({ text: "", destroyed: "reset" });
    // Another name that leads there is another matter.
    const shared = await connectTo("bad.example", 443, SERVER, text);
    shared.world.host.answerA("good.example", [SERVER]);
    await lookUp(shared.world, "good.example");
    shared.tcp.open();
    shared.tcp.data(clientHello("good.example"));
    expect(shared.world.stream.text).not.toBe("");
  });

  test("explain names the rule and what it depends on", async () => {
    const { world } = await connectTo(undefined);
    world.host.answerA("www.example", [SERVER]);
    expect(await world.relay.explain("www.example", 443)).toMatchObject({
      verdict: "allow",
      why: `${SERVER}: Open by the rule "allow tcp *.example 443,80", if TLS or HTTP names it.`,
    });
    expect(await world.relay.explain("www.example", 22)).toMatchObject({
      verdict: "deny",
      why: `${SERVER}: Closed: no rule allows it.`,
    });
    expect(await world.relay.explain("::1", 22)).toMatchObject({ verdict: "deny" });
    expect(await world.relay.explain("1.1.1.1", 443)).toMatchObject({ verdict: "allow" });
  });
});

async function lookUp(world: World, name: string) {
  const frames = world.send(udpFrame({ address: "10.0.2.3", port: 53 }, 40_053, query(name)));
  await world.host.settleAll();
  const [frame] = [...frames, ...world.takeFrames()];
  return { answer: readAnswer(frame ?? hex("")) };
}
