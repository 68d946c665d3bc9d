// A worker of its own process, for tests that kill it: `node child-taker.ts REDIS_URL PREFIX`.
// It says "took COMMAND" for each turn, and never comes to the end of one.
import { TurnTaker } from "../../src/queue/index.ts";
import { quick, quiet } from "./support.ts";

const [redisUrl, prefix] = process.argv.slice(2);
if (!redisUrl || !prefix) throw new Error("usage: child-taker.ts REDIS_URL PREFIX");

const taker = new TurnTaker({
  redisUrl,
  prefix,
  workerId: `child-${process.pid}`,
  log: quiet,
  timing: quick,
  async handle({ command }) {
    process.send?.(`took ${command}`);
    return new Promise(() => {});
  },
  async abandon() {},
});
await taker.run();
process.send?.("ready");
