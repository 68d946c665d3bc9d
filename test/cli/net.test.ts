import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNameServer } from "../relay/support/name-server.ts";
import { momHere } from "../support/mom-here.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-net-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, "rules.txt");
  writeFileSync(path, text);
  return path;
}

async function explain(...args: string[]) {
  return explainWith({}, ...args);
}

async function explainWith(env: Record<string, string>, ...args: string[]) {
  return momHere(["net", "explain", ...args], env);
}

describe("mom net explain", () => {
  test("an open address is exit status 0, with the rule", async () => {
    const { status, stdout } = await explain("93.184.216.34:443");
    expect(stdout).toBe(
      '93.184.216.34:443 is open.\n  93.184.216.34: Open by the rule "allow any".\n',
    );
    expect(status).toBe(0);
  });

  test.each(["0x7f.1", "[::ffff:7f00:1]"])("%s is exit status 1, as loopback", async (spelling) => {
    const { status, stdout } = await explain(`${spelling}:6379`);
    expect(stdout).toContain("127.0.0.1: Closed: 127.0.0.0/8 is loopback");
    expect(status).toBe(1);
  });

  test("the first rule of a file that matches decides, and JSON says all of it", async () => {
    const rules = file("deny 93.184.216.0/24 80\nallow any 80,443 # web\n");
    const closed = await explain("93.184.216.34:80", "--policy", rules, "--json");
    expect(JSON.parse(closed.stdout)).toEqual({
      host: "93.184.216.34",
      port: 80,
      protocol: "tcp",
      verdict: "deny",
      addresses: [
        {
          address: "93.184.216.34",
          verdict: "deny",
          why: 'Closed by the rule "deny 93.184.216.0/24 80".',
          rule: "deny 93.184.216.0/24 80",
        },
      ],
      why: '93.184.216.34: Closed by the rule "deny 93.184.216.0/24 80".',
    });
    expect(closed.status).toBe(1);
    expect((await explain("93.184.216.34:443", "--policy", rules)).status).toBe(0);
  });

  test("a name that no rule allows is closed without being looked up", async () => {
    const rules = file("allow tcp *.example.org 443");
    const { status, stdout } = await explain("data.evil.example:443", "--policy", rules);
    expect(stdout).toContain('No rule allows "data.evil.example"');
    expect(status).toBe(1);
  });

  test("a name is looked up, and judged by all of its addresses", async () => {
    const server = await startNameServer({
      "www.example": ["93.184.216.34"],
      "inside.example": ["10.1.2.3"],
    });
    try {
      const rules = file("allow tcp *.example 443\n");
      const env = { MOM_NET_DNS: server.address, MOM_NET_POLICY: rules };
      const open = await explainWith(env, "www.example:443");
      expect(open.stdout).toBe(
        'www.example:443 is open.\n  93.184.216.34: Open by the rule "allow tcp *.example 443", if TLS or HTTP names it.\n',
      );
      expect(open.status).toBe(0);
      const inside = await explainWith(env, "inside.example:443");
      expect(inside.stdout).toContain("10.1.2.3: Closed: 10.0.0.0/8 is private");
      expect(inside.status).toBe(1);
      const unknown = await explainWith(env, "nowhere.example:443");
      expect(unknown.stdout).toContain('"nowhere.example" has no IPv4 address');
      expect(unknown.status).toBe(1);
    } finally {
      server.close();
    }
  });

  test("without a network nothing is open", async () => {
    expect((await explainWith({ MOM_NET: "none" }, "93.184.216.34:443")).status).toBe(1);
  });

  test("ports of the computer are open at 10.0.2.2 when they are listed", async () => {
    const open = await explain("10.0.2.2:8080", "--policy", "none", "--host-port", "8080");
    expect(open.status).toBe(0);
    const closed = await explain("10.0.2.2:8081", "--policy", "none", "--host-port", "8080");
    expect(closed.stdout).toContain("a port of the computer itself that is not listed");
    expect(closed.status).toBe(1);
  });

  test("the name server of the network is open", async () => {
    const { status, stdout } = await explain("10.0.2.3:53", "--protocol", "udp", "--json");
    // Nobody else is to connect to that address.
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "allow", addresses: [] });
    expect(status).toBe(0);
  });

  test.each([
    [["example.org"], 2, "as in 1.2.3.4:443"],
    [["example.org:0"], 2, "as in 1.2.3.4:443"],
    [["example.org:80", "--policy", "/nowhere"], 1, "/nowhere cannot be read (ENOENT)"],
    [["example.org:80", "--policy", "/"], 1, "/ cannot be read (EISDIR)"],
    [["example.org:80", "--host-port", "0"], 1, "MOM_NET_HOST_PORTS must be a list of ports"],
  ])("%j is an error in a sentence", async (args, wanted, said) => {
    const { status, stdout, stderr } = await explain(...args);
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe("");
    expect(status).toBe(wanted);
  });

  test("a wrong line of a file is told with file and line", async () => {
    const { status, stderr } = await explain("a.b:80", "--policy", file("allow any\nopen all\n"));
    expect(stderr).toContain(`${join(folder, "rules.txt")}. Line 2 of the network policy`);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  });
});
