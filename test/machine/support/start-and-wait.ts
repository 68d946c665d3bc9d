import { startMachine } from "./machine.ts";

// A parent to be killed: starts a machine, names its process, and runs a command in it that does not end.
const machine = await startMachine();
console.log(machine.pid);
await machine.exec("sleep 1000");
