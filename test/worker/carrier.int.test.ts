import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { carriageLine } from "../../src/queue/index.ts";
import { Carrier, CarrierError } from "../../workers/carrier.ts";
import { systemClock } from "../../workers/clock.ts";
import { MachineError } from "../../workers/machine/api.ts";
import { HostMachine } from "../support/host-machine.ts";

/** The worker's end of the way into a thread's computer. */

const log = pino({ level: "silent" });

let carrier: Carrier;
let machine: HostMachine;
let port: number;
beforeEach(async () => {
  carrier = await Carrier.listen({ host: "127.0.0.1", clock: systemClock, log });
  machine = await HostMachine.start();
  // Says its lines backwards.
  const server = createServer((socket) => {
    socket.on("data", (data) => socket.write([...String(data)].reverse().join("")));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await carrier.close();
  await machine.stop();
});

interface Line {
  secret?: string;
  threadKey?: string;
  port?: number;
}

function ask(line: Line | string): Socket {
  const socket = connect(carrier.address.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  const { secret } = carrier.address;
  const text =
    typeof line === "string" ? line : carriageLine({ secret, threadKey: "A", port, ...line });
  socket.write(text);
  return socket;
}

/** All that is said until the connection ends. */
async function answer(line: Line | string): Promise<string> {
  const socket = ask(line);
  let all = "";
  socket.on("data", (data) => {
    all += data;
  });
  await once(socket, "close");
  return all;
}

test("who has the secret reaches the ports of the thread that is in the machine", async () => {
  carrier.enters("A", machine);
  const socket = ask({});
  expect(String(await once(socket, "data"))).toBe("j");
  socket.write("abc");
  expect(String(await once(socket, "data"))).toBe("cba");
  expect(carrier.lastUsedMs).toBeGreaterThan(0);
});

test("bytes behind the line arrive", async () => {
  carrier.enters("A", machine);
  const socket = ask(`${carrier.address.secret} A ${port}\nabc`);
  let all = "";
  socket.on("data", (data) => {
    all += data;
  });
  await expect.poll(() => all).toBe("jcba");
});

test("another thread than the one in the machine is asleep, and so is one that was left", async () => {
  expect(await answer({})).toBe("a");
  carrier.enters("A", machine);
  expect(await answer({ threadKey: "B" })).toBe("a");
  carrier.enters("B", machine);
  expect(await answer({})).toBe("a");
  machine.die(new MachineError("MACHINE_DIED", "out of memory"));
  expect(await answer({ threadKey: "B" })).toBe("a");
});

test("a thread that sleeps has nothing open, and is there again when it goes on", async () => {
  carrier.enters("A", machine);
  const socket = ask({});
  await once(socket, "data");
  carrier.sleep();
  await once(socket, "close");
  expect(await answer({})).toBe("a");
  carrier.goesOn(1);
  expect(String(await once(ask({}), "data"))).toBe("j");
  carrier.goesOn(0);
  expect(await answer({})).toBe("n");
});

test("what is open ends before another thread comes into the machine", async () => {
  carrier.enters("A", machine);
  const socket = ask({});
  await once(socket, "data");
  carrier.leaves();
  carrier.enters("B", machine);
  await once(socket, "close");
  expect(await answer({})).toBe("a");
});

test("a port that is asked for while the thread leaves leads nowhere", async () => {
  carrier.enters("A", machine);
  const path = await machine.publishSocket(port);
  const published = Promise.withResolvers<string>();
  machine.publishSocket = () => published.promise;
  const asked = answer({});
  await new Promise((resolve) => setTimeout(resolve, 50));
  carrier.leaves();
  carrier.enters("B", machine);
  published.resolve(path);
  expect(await asked).toBe("a");
});

test("a network that lets nothing in is told as such", async () => {
  carrier.enters("A", machine);
  machine.publishSocket = () => Promise.reject(new MachineError("NO_WAY_IN", "no relay"));
  expect(await answer({})).toBe("x");
});

test.each([
  ["another secret", { secret: "x".repeat(48) }],
  ["no secret", " A 80\n"],
  ["no line", `${"x".repeat(10_000)}`],
  ["a port that is none", { port: -1 }],
])("%s is answered with nothing", async (_what, line) => {
  carrier.enters("A", machine);
  expect(await answer(line)).toBe("");
});

test("an address of another host is told in a sentence", async () => {
  const elsewhere = Carrier.listen({ host: "192.0.2.1", clock: systemClock, log });
  await expect(elsewhere).rejects.toThrow(CarrierError);
  await expect(elsewhere).rejects.toThrow(/^MOM_EXPOSE_WORKER: 192\.0\.2\.1 is no address/);
});
