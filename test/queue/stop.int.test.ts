import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnTakerOptions } from "../../src/queue/index.ts";
import { Mailboxes } from "../../src/queue/mailbox.ts";
import { done, prefix, quick, turn, until } from "./support.ts";
import { QueueWorld } from "./world.ts";

let world: QueueWorld;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());

describe("stop", () => {
  test("ends the running turn on the worker that has it; the next one goes on", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const ran: string[] = [];
    let reason: unknown;
    const handle: TurnTakerOptions["handle"] = async ({ command }, { signal }) => {
      ran.push(command);
      if (command !== "sleep inf") return done;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
      return { ...done, status: "canceled", exitCode: null };
    };
    await world.taker(name, { workerId: "w1", handle, timing: { ...quick, watch: 600_000 } });
    await world.taker(name, { workerId: "w2", handle, timing: { ...quick, watch: 600_000 } });
    await queue.submit(turn("1", "sleep inf"));
    await queue.submit(turn("1", "next"));
    await until(() => ran.includes("sleep inf"));
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("running");
    await until(() => ran.includes("next"));
    expect(reason).toMatchObject({ code: "STOPPED", userId: "U7" });
    const journal = await queue.journal(turn("1", "").thread);
    expect(journal[0]).toMatchObject({ status: "canceled", stoppedBy: "U7" });
  });

  test("without a worker that listens, the turn is stopped as soon as one takes it", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    await queue.submit(turn("1", "x"));
    await new Mailboxes(world.client(), name).begin("T1-C1-1", "gone");
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("running");
    const aborted: boolean[] = [];
    await world.taker(name, {
      handle: async (_turn, { signal }) => {
        aborted.push(signal.aborted);
        throw new Error("not needed any more");
      },
    });
    await until(async () => (await queue.journal(turn("1", "").thread)).length === 1);
    expect(aborted).toEqual([true]);
  });

  test("takes a turn that waits out of its mailbox, and leaves later ones", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    await queue.submit(turn("1", "one"));
    await queue.submit(turn("1", "two"));
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("queued");
    const ran: string[] = [];
    await world.taker(name, {
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    await until(() => ran.length === 1);
    expect(ran).toEqual(["two"]);
  });

  test("in a thread where nothing runs there is nothing to stop", async () => {
    const queue = await world.queue(prefix());
    expect(await queue.stop(turn("9", "").thread, "U7")).toBe("nothing");
  });
});
