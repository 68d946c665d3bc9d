import { expect, test } from "vitest";
import { ShellMailbox } from "../../workers/machine/shell-mailbox.ts";
import { NinePError } from "../../workers/ninep/errno.ts";
import { PendingRead } from "../../workers/ninep/filesystem.ts";

/** What a read from the start gets, or what it waits for. */
function read(mailbox: ShellMailbox): string | PendingRead {
  const into = new Uint8Array(1_024);
  const got = mailbox.read(0, into);
  return got instanceof PendingRead ? got : Buffer.from(into.subarray(0, got)).toString();
}

test("what is given to a shell that waits is read at once, and else in order when it comes", () => {
  const mailbox = new ShellMailbox();
  const taken: string[] = [];
  const give = (words: string) => mailbox.give(Buffer.from(words), () => taken.push(words));
  const waiting = read(mailbox);
  if (!(waiting instanceof PendingRead)) throw new Error("it does not wait");
  const got: string[] = [];
  waiting.onSettled((outcome) => got.push(Buffer.from(outcome as Uint8Array).toString()));
  expect(mailbox.isWaiting).toBe(true);
  give("one");
  expect([mailbox.isWaiting, got, taken]).toEqual([false, ["one"], ["one"]]);
  give("two");
  give("three");
  expect(taken).toEqual(["one"]);
  expect([read(mailbox), read(mailbox), taken]).toEqual(["two", "three", ["one", "two", "three"]]);
});

test("a second reader is refused, and the first goes on waiting", () => {
  const mailbox = new ShellMailbox();
  read(mailbox);
  expect(() => read(mailbox)).toThrow(NinePError);
  expect(mailbox.isWaiting).toBe(true);
});

test("a reader that is gone leaves its place to the next", () => {
  const mailbox = new ShellMailbox();
  (read(mailbox) as PendingRead).cancel();
  expect(mailbox.isWaiting).toBe(false);
  expect(read(mailbox)).toBeInstanceOf(PendingRead);
});

test("while a turn runs there is nothing to read, and behind the first read never", () => {
  const mailbox = new ShellMailbox();
  mailbox.isBusy = true;
  mailbox.give(Buffer.from("next"));
  expect(read(mailbox)).toBe("");
  mailbox.isBusy = false;
  expect(mailbox.read(4, new Uint8Array(10))).toBe(0);
  expect(read(mailbox)).toBe("next");
});

test("what was meant for one sandbox does not reach another", () => {
  const mailbox = new ShellMailbox();
  mailbox.give(Buffer.from("of the sandbox before"));
  mailbox.clear();
  expect(read(mailbox)).toBeInstanceOf(PendingRead);
});
