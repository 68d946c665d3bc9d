import { afterEach, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { output, run, startMachine, text } from "./support/machine.ts";

/** Authorities are made, and servers run, by the guest's own openssl: on its loopback, so that no network is needed. */
const MAKE = `
(set -e; mkdir -p /root/ca; cd /root/ca
for name in one two; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=Authority $name" \\
    -keyout $name.key -out $name.pem
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout $name-server.key -out $name.csr
  echo subjectAltName=DNS:localhost >$name.ext
  openssl x509 -req -in $name.csr -CA $name.pem -CAkey $name.key -CAcreateserial -days 3650 -extfile $name.ext -out $name-server.pem
done) 2>&1`;
const SERVE = `
openssl s_server -quiet -www -accept 8443 -cert /root/ca/one-server.pem -key /root/ca/one-server.key >/dev/null 2>&1 &
until (: </dev/tcp/127.0.0.1/8443) 2>/dev/null; do sleep 0.1; done`;
/** Which of the guest's programs take the server's certificate. */
const ASK = `
url=https://localhost:8443/
curl -sS -o /dev/null $url && echo curl
wget -q -O /dev/null $url && echo wget
python3 -c "import urllib.request as u; u.urlopen('$url').read()" && echo python
node -e "require('https').get('$url', (r) => r.resume())" && echo node
git ls-remote $url 2>&1 | grep -q 'info/refs not valid' && echo git`;
/** Which of the two servers' certificates the store takes. */
const TRUSTED = "cd /root/ca; openssl verify one-server.pem two-server.pem 2>/dev/null; true";

let machine: Machine | undefined;
afterEach(async () => {
  await machine?.stop();
});

async function next(certificates: string): Promise<Machine> {
  await machine?.stop();
  machine = await startMachine({ parameters: { certificates } });
  return machine;
}

test("the operator's certificates are trusted in new threads and in those that sleep, until they are taken back", async () => {
  const first = await next("");
  await output(first, MAKE);
  const [one, two] = [
    text(await first.readFile("/root/ca/one.pem")),
    text(await first.readFile("/root/ca/two.pem")),
  ];
  await output(first, SERVE);
  expect(await output(first, TRUSTED)).toBe("");
  const without = await first.save();

  const second = await next(one);
  await second.load(without);
  expect(await run(second, ASK)).toMatchObject({
    out: "curl\nwget\npython\nnode\ngit\n",
    err: "",
  });
  const withOne = await second.save();

  // The operator changed the file while the thread slept.
  const third = await next(two);
  await third.load(withOne);
  expect(await output(third, TRUSTED)).toBe("two-server.pem: OK\n");
  const count = "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt";
  const changed = Number(await output(third, count));
  await third.reset();
  expect(Number(await output(third, count))).toBe(changed);

  const last = await next("");
  await last.load(withOne);
  expect(await output(last, TRUSTED)).toBe("");
  expect(Number(await output(last, count))).toBe(changed - 1);
});
