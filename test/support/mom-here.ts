import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { runCli } from "../../src/cli/program.ts";

export interface MomHere {
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * `mom` in the test's own process: the same command line to the same exit status, without the start of a Node.js for each.
 * For commands that end by themselves. What a process has besides (signals, a terminal) is for `startMom`.
 */
export async function momHere(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<MomHere> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const said = (stream: PassThrough) => (stream.read() ?? "").toString();
  const parts = { argv: ["node", "mom", ...args], env: { MOM_ENV_FILE: "/dev/null", ...env } };
  const process = Object.assign(new EventEmitter(), parts, { stdin, stdout, stderr });
  // All that a command line is given of a process, and no more: what else it took would throw.
  const status = await runCli(process as unknown as NodeJS.Process);
  return { status, stdout: said(stdout), stderr: said(stderr) };
}
