import { expect, test } from "vitest";

// The page's code is JavaScript with types of its own (page-types.test.ts).
const module = new URL("../../demo/page/date.js", import.meta.url).href;
const { formatDate } = (await import(module)) as {
  formatDate(
    target: string,
    now: Date,
    locales?: string[],
  ): { shown: string; at: Date } | undefined;
};

const NOW = new Date(2026, 10, 23, 12, 0, 0);
const seconds = (date: Date): number => date.getTime() / 1000;
const at = (day: number, hour: number): number => seconds(new Date(2026, 10, day, hour, 5, 9));

test.each([
  ["{date_short_pretty} {time}", at(23, 0), /^today 12:05 AM$/],
  ["{date_pretty}", at(22, 23), /^yesterday$/],
  ["{date_long_pretty}", at(24, 23), /^tomorrow$/],
  ["on {date_short_pretty}", at(21, 9), /^on Nov 21, 2026$/],
  ["{date_num}", at(21, 9), /^11\/21\/2026$/],
  ["{date}, {time_secs}", at(21, 9), /^November 21, 2026, 9:05:09 AM$/],
  ["{date_long}", at(21, 9), /^Saturday, November 21, 2026$/],
  ["{nonsense} stays", at(21, 9), /^\{nonsense\} stays$/],
])("a message's date %s is written as Slack writes it", (format, when, shown) => {
  const date = formatDate(`!date^${when}^${format}`, NOW, ["en-US"]);
  // Whatever kind of space stands before "AM".
  expect(date?.shown.replaceAll(/\s/g, " ")).toMatch(shown);
  expect(date?.at.getTime()).toBe(when * 1000);
});

test.each([
  "!date",
  "!date^soon^{time}",
  "!date^^",
  "!date^-5^{time}",
  "!date^99999999999999999^x",
])("%s is no date", (target) => {
  expect(formatDate(target, NOW)).toBeUndefined();
});
