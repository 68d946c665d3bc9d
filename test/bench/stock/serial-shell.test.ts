import { expect, test } from "vitest";
import { SerialShell } from "./serial-shell.ts";

/** A terminal that echoes what is typed and answers with what `shell` says to a line. */
function terminal(shell: (line: string) => string) {
  let listener: (byte: number) => void = () => {};
  const say = (text: string) => {
    for (const byte of Buffer.from(text.replaceAll("\n", "\r\n"))) listener(byte);
  };
  return {
    say,
    port: {
      send(text: string) {
        say(text);
        for (const line of text.trimEnd().split("\n")) say(shell(line));
      },
      onByte(added: (byte: number) => void) {
        listener = added;
      },
    },
  };
}

const markerOf = (line: string) => /mom-end-\d+/.exec(line)?.[0];

test("a command ends at its marker, not at the terminal's echo of the line", async () => {
  const { port } = terminal((line) => `hi\n${markerOf(line)} 3\n# `);
  expect(await new SerialShell(port).run("echo hi", 1_000)).toEqual({
    exitCode: 3,
    text: "echo hi; echo mom-end-1 $?\r\nhi\r\n",
  });
});

test("each command has a marker of its own", async () => {
  const markers: (string | undefined)[] = [];
  const { port } = terminal((line) => {
    markers.push(markerOf(line));
    return `mom-end-1 9\n${markerOf(line)} 0\n`;
  });
  const shell = new SerialShell(port);
  expect((await shell.run("true", 1_000)).exitCode).toBe(9);
  expect((await shell.run("true", 1_000)).exitCode).toBe(0);
  expect(new Set(markers).size).toBe(2);
});

test("output of any length before the marker is passed over", async () => {
  const { port } = terminal((line) => `${"\0".repeat(100_000)}${markerOf(line)} 0\n`);
  expect((await new SerialShell(port).run("head", 1_000)).exitCode).toBe(0);
});

test("the prompt is waited for", async () => {
  const { port, say } = terminal(() => "");
  const prompted = new SerialShell(port).untilPrompt(1_000);
  say("a kernel that boots\n# ");
  await prompted;
});

test("a shell that says nothing is told of, with what came last", async () => {
  const { port } = terminal(() => "not found\n");
  await expect(new SerialShell(port).run("ehco", 20)).rejects.toThrow(/not answer.*not found/s);
});
