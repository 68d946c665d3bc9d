import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, sharedMachine } from "./support/machine.ts";

/** The interactive shell, as `mom shell` uses it. */

let machine: Machine;

beforeEach(async () => {
  machine = await sharedMachine();
});

/** What readline says to turn bracketed paste on before a prompt, and off behind a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is made of control characters.
const BRACKETED_PASTE = /\x1b\[\?2004(?:h|l\r)/g;

/** A terminal, what it shows, and a way to wait for that. */
function openTerminal(size = { columns: 100, rows: 30 }) {
  let shown = "";
  const decoder = new TextDecoder();
  const terminal = machine.openTerminal({
    ...size,
    term: "xterm-256color",
    onOutput: (chunk) => {
      shown = (shown + decoder.decode(chunk, { stream: true })).replaceAll(BRACKETED_PASTE, "");
    },
  });
  let isOver = false;
  terminal.ended.then(
    () => {
      isOver = true;
    },
    () => {},
  );
  // The machine does nothing else before it is over: a test that fails would leave it to those behind.
  onTestFinished(async () => {
    if (!isOver) await machine.stop();
  });
  /** Waits for what comes after all that was waited for before, and returns what was shown until then. */
  const until = async (pattern: RegExp): Promise<string> => {
    await expect.poll(() => shown, { timeout: 60_000 }).toMatch(pattern);
    const before = shown;
    shown = "";
    return before;
  };
  return { terminal, type: (keys: string) => terminal.write(bytes(keys)), until };
}

const PROMPT = /root@mom:[^\n]*# $/;

test("a prompt, an echo, a size that changes, Ctrl-C, Ctrl-D, and the shell's exit status", async () => {
  const { terminal, type, until } = openTerminal();
  await until(PROMPT);

  type("echo $TERM; tty; stty size; pwd; echo $PATH\r");
  const shown = await until(PROMPT);
  expect(shown).toMatch(/^echo \$TERM; tty; stty size; pwd; echo \$PATH\r\n/);
  expect(shown).toContain("\r\nxterm-256color\r\n/dev/hvc0\r\n30 100\r\n/root\r\n");
  expect(shown).toContain(":/bin:/usr/games\r\n");

  terminal.resize(132, 50);
  await expect
    .poll(
      async () => {
        type("stty size\r");
        return await until(PROMPT);
      },
      { timeout: 60_000 },
    )
    .toContain("\r\n50 132\r\n");

  type("sleep 1000\r");
  await until(/sleep 1000\r\n/);
  // What Ctrl-C interrupts has to run first.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  type("\x03");
  expect(await until(PROMPT)).toContain("^C");
  type("cat\r");
  await until(/cat\r\n/);
  type("é\x7fè line\r\x04");
  expect(await until(PROMPT)).toContain("è line\r\nè line\r\n");

  type("exit 7\r");
  expect(await terminal.ended).toBe(7);
  expect(await output(machine, "echo after")).toBe("after\n");
});

test("a long paste arrives whole", async () => {
  const { terminal, type, until } = openTerminal();
  await until(PROMPT);
  // More than the sixteen pages that the guest's driver has at the ready; lines that the terminal takes.
  const line = `: ${"x".repeat(998)}\n`;
  type(`cat >/tmp/paste <<'END'\r${line.repeat(34)}END\r`);
  type("wc -c </tmp/paste; exit\r");
  await until(/\r\n34034\r\n/);
  expect(await terminal.ended).toBe(0);
});

test("a terminal that ends by a signal tells so, and the machine runs commands before and after", async () => {
  expect(await output(machine, "echo before >/tmp/seen; cat /tmp/seen")).toBe("before\n");
  const { terminal, type, until } = openTerminal();
  await until(PROMPT);
  type("cat /tmp/seen\r");
  await until(/\r\nbefore\r\n/);
  const queued = output(machine, "echo queued");
  type("kill -9 $$\r");
  expect(await terminal.ended).toBe(137);
  expect(await queued).toBe("queued\n");
});
