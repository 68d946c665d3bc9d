import type { Command } from "commander";
import type { PublishedPort } from "../../../workers/machine/messages.ts";
import type { ExecResult } from "../../../workers/machine/result.ts";
import { behindDashes, type CliContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { withExamples } from "../help.ts";
import { parsePublished } from "../net/addresses.ts";
import { collected, wholeNumber } from "../options.ts";

interface RunOptions {
  file: string[];
  timeout?: number;
  out?: string;
  publish: PublishedPort[];
  json?: true;
}

export function registerRun(program: Command, context: CliContext): void {
  const command = program
    .command("run")
    .description("Run one command in a fresh sandbox, and end with its exit status")
    .usage("[options] -- COMMAND")
    .argument(
      "[command...]",
      "one word is a line for bash; several are a program and its arguments",
    )
    .option(
      "--file <file>",
      "put this file into the working directory first (may be repeated)",
      (file: string, files: string[]) => [...files, file],
      [],
    )
    .option("--timeout <seconds>", "end the command after so long", wholeNumber(1, 86_400))
    .option("--out <folder>", "bring back what the command leaves in ~/out or names with `attach`")
    .option(
      "--publish <ports>",
      "make a port of the sandbox a port of this computer: 8080:80 (may be repeated)",
      collected(parsePublished),
      [],
    )
    .option("--json", "print one JSON object instead of the output")
    .addHelpText(
      "after",
      "\nEnds with the command's exit status; 124 after a time-out, 130 after Ctrl-C, 125 at the output limit.",
    )
    .action((_words: string[], options: RunOptions) => run(context, options));
  withExamples(
    command,
    "run -- 'echo out; echo err >&2; exit 3'",
    "run --file data.csv --out results -- 'sort data.csv > ~/out/sorted.csv'",
    "run --publish 8080:80 -- python3 -m http.server 80",
    "run --json --timeout 10 -- python3 -c 'print(2**100)'",
  );
}

async function run(context: CliContext, options: RunOptions): Promise<void> {
  const words = behindDashes(context.argv);
  if (words.length === 0) {
    throw new CliError("USAGE", "There is no command: write it behind --, as in ./mom run -- ls");
  }
  const { startSandbox } = await import("../machine/sandbox.ts");
  const { publish } = await import("../net/publish.ts");
  const { readInputFiles, writeOutputFiles } = await import("../machine/files.ts");
  const inputs = await readInputFiles(options.file);
  const machine = await startSandbox(context);
  try {
    await publish(machine, options.publish, context.stderr);
    for (const { name, data } of inputs) await machine.writeFile(name, data);
    const result = await machine.exec(commandLine(words), {
      signal: context.signal,
      ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1_000 }),
      ...(context.stdin.isTTY ? {} : { stdin: context.stdin }),
      ...(options.json
        ? {}
        : {
            onStdout: (chunk: Uint8Array) => context.stdout.write(chunk),
            onStderr: (chunk: Uint8Array) => context.stderr.write(chunk),
          }),
    });
    if (options.out !== undefined) await writeOutputFiles(machine, result.files, options.out);
    if (options.json) context.stdout.write(`${JSON.stringify(asJson(result), null, 2)}\n`);
    else context.stderr.write(remarkOn(result, options));
    context.exitWith(exitStatusOf(result));
  } finally {
    await machine.stop();
    // Input that the command did not read must not keep this process alive.
    context.stdin.destroy();
  }
}

/** One word is a line for the shell, as a person types it; several are an argument list, kept as it is. */
export function commandLine(words: readonly string[]): string {
  const [line] = words;
  if (words.length === 1 && line !== undefined) return line;
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

function exitStatusOf(result: ExecResult): number {
  if (result.timedOut) return 124;
  if (result.isMaxBuffer) return 125;
  if (result.isCanceled) return 130;
  return result.exitCode ?? 1;
}

function remarkOn(result: ExecResult, options: RunOptions): string {
  if (result.timedOut) {
    return `mom: stopped after ${options.timeout} s, the time limit (${result.signal}).\n`;
  }
  if (result.isMaxBuffer) {
    const bytes = result.stdout.length + result.stderr.length;
    return `mom: stopped at the output limit of ${bytes / (1024 * 1024)} MB.\n`;
  }
  if (result.isCanceled) return "mom: stopped.\n";
  const left = options.out === undefined ? result.files.length : 0;
  return left === 0
    ? ""
    : `mom: left ${left} file${left === 1 ? "" : "s"} in the sandbox; --out FOLDER brings them back.\n`;
}

function asJson(result: ExecResult): Record<string, unknown> {
  const { exitCode, signal, durationMs, timedOut, isCanceled, isMaxBuffer, files } = result;
  return {
    exitCode,
    signal,
    ...asText("stdout", result.stdout),
    ...asText("stderr", result.stderr),
    durationMs: Math.round(durationMs),
    timedOut,
    isCanceled,
    isMaxBuffer,
    files,
  };
}

/** JSON has no bytes: what is not UTF-8 comes in base64 beside. */
function asText(name: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [name]: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    const buffer = Buffer.from(bytes);
    return { [name]: buffer.toString("utf8"), [`${name}Base64`]: buffer.toString("base64") };
  }
}
