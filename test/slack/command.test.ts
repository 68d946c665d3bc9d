import { describe, expect, test } from "vitest";
import { mentionedUsers, type Request, readCommand } from "../../src/slack/command.ts";
import { parseText } from "../../src/slack/text.ts";

const names = new Map([["U2", "ada"]]);
function read(text: string, needsMention = true): Request {
  return readCommand(parseText(text), {
    botUserId: "U1",
    needsMention,
    nameOf: (id) => names.get(id) ?? id,
  });
}
const bash = (command: string): Request => ({ kind: "run", command, language: "bash" });

describe("a command is what follows the mention", () => {
  const cases: [text: string, request: Request][] = [
    ["<@U1> ls -la", bash("ls -la")],
    ["  <@U1>\u00a0ls", bash("ls")],
    ["<@U1>ls", bash("ls")],
    ["<@U1> cd /tmp\nls", bash("cd /tmp\nls")],
    ["<@U1> `echo “x” —y`", bash("echo “x” —y")],
    ["<@U1> echo `date`", bash("echo `date`")],
    ["<@U1> echo <@U2> <@U3>", bash("echo @ada @U3")],
    ["<@U1> echo <@U1>", bash("echo @U1")],
    ["<@U1>", { kind: "empty" }],
    ["<@U1>  ", { kind: "empty" }],
    ["<@U1> help", { kind: "help" }],
    ["<@U1> Stop", { kind: "stop" }],
    ["<@U1> `stop`", { kind: "stop" }],
    ["<@U1> stop it", bash("stop it")],
    ["<@U1> undo", { kind: "step", step: "undo" }],
    ["<@U1> Redo", { kind: "step", step: "redo" }],
    ["<@U1> `fork`", { kind: "step", step: "fork" }],
    ["<@U1> history", { kind: "step", step: "history" }],
    ["<@U1> history | tail -3", bash("history | tail -3")],
    ["<@U1> reset; echo hi", bash("reset; echo hi")],
    ["<@U1> ```history```", bash("history")],
    ["<@U1> expose", { kind: "exposed" }],
    ["<@U1> `Expose 8000`", { kind: "expose", port: 8000 }],
    ["<@U1> expose 8000 off", { kind: "unexpose", port: 8000 }],
    ["<@U1> unexpose 8000", { kind: "unexpose", port: 8000 }],
    ["<@U1> expose 8000 | cat", bash("expose 8000 | cat")],
    ["<@U1> exposed 8000", bash("exposed 8000")],
    ["<@U1> ```expose 8000```", bash("expose 8000")],
  ];
  test.each(cases)("%s", (text, request) => {
    expect(read(text)).toEqual(request);
  });

  test.each(["expose 0", "expose 65536", "unexpose", "expose off"])("%s names no port", (text) => {
    expect(read(`<@U1> ${text}`)).toMatchObject({
      kind: "unclear",
      sentence: expect.stringMatching(/1 to 65535/),
    });
  });

  test.each(["thanks <@U1>", "ask <@U1> to ls", "<@U2> <@U1> ls"])(
    "%s is about Mom, and not to her",
    (text) => {
      expect(read(text)).toMatchObject({
        kind: "unclear",
        sentence: expect.stringMatching(/Start the message/),
      });
    },
  );
});

describe("without a need for a mention all of the message is the command", () => {
  const cases: [text: string, request: Request][] = [
    ["ls", bash("ls")],
    ["<@U1> ls", bash("ls")],
    ["echo <@U1>", bash("echo @U1")],
    ["stop", { kind: "stop" }],
    ["undo", { kind: "step", step: "undo" }],
    ["", { kind: "empty" }],
  ];
  test.each(cases)("%s", (text, request) => {
    expect(read(text, false)).toEqual(request);
  });
});

describe("fenced blocks run with the language of the fence", () => {
  const run = (language: "bash" | "python" | "js", command: string): Request => ({
    kind: "run",
    command,
    language,
  });
  const cases: [text: string, request: Request][] = [
    ["<@U1> ```ls```", run("bash", "ls")],
    ["<@U1> ```sh\nls```", run("bash", "ls")],
    ["<@U1> ```bash\nls\n```", run("bash", "ls")],
    ["<@U1> ```python\nprint(1)\n```", run("python", "print(1)")],
    ["<@U1> ```Python3 \n  print(1)```", run("python", "  print(1)")],
    ["<@U1> ```py\nprint(1)```", run("python", "print(1)")],
    ["<@U1> ```js\nconsole.log(1)```", run("js", "console.log(1)")],
    ["<@U1> ```node\n1```", run("js", "1")],
    ["<@U1> ```python```", run("bash", "python")],
    ["<@U1> ```python x.py\nls```", run("bash", "python x.py\nls")],
    ["<@U1> ```constructor\nls```", run("bash", "constructor\nls")],
    ["<@U1> please run this: ```ls``` thanks", run("bash", "ls")],
    ["please, <@U1>: ```ls```", run("bash", "ls")],
    ["<@U1> ```a``` ```b```", run("bash", "a\nb")],
    ["<@U1> ```python\na``` then ```python\nb```", run("python", "a\nb")],
    ["<@U1> ``` ```", { kind: "empty" }],
  ];
  test.each(cases)("%s", (text, request) => {
    expect(read(text)).toEqual(request);
  });

  test("of several languages are refused with a sentence", () => {
    expect(read("<@U1> ```python\na``` ```sh\nb```")).toMatchObject({
      kind: "unclear",
      sentence: expect.stringMatching(/different languages/),
    });
  });

  test("in a language that the client names and Mom does not run are refused with a sentence", () => {
    const context = { botUserId: "U1", needsMention: true, nameOf: (id: string) => id };
    const fence = { kind: "fence" as const, text: "puts 1" };
    expect(readCommand([{ ...fence, language: "Ruby" }], context)).toMatchObject({
      kind: "unclear",
      sentence: expect.stringMatching(/`ruby` is not one of them/),
    });
    expect(readCommand([{ ...fence, language: "Python" }], context)).toMatchObject({
      kind: "run",
      language: "python",
    });
  });
});

test("the people whose names are needed are those besides the bot, once each", () => {
  expect(mentionedUsers(parseText("<@U1> <@U2> <@U3> <@U2>"), "U1")).toEqual(["U2", "U3"]);
});
