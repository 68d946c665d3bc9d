/**
 * Dates as Slack shows them to each reader: `<!date^SECONDS^{date_short_pretty} {time}|what others show>`
 * (api.slack.com, "Formatting text for app surfaces", date formatting).
 */

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const PARTS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
};
const PRETTY = "_pretty";
const DAY_MS = 86_400_000;

/**
 * @param {string} target what stands before the `|`
 * @param {Date} now
 * @param {string[]} [locales] the reader's, or those of the browser
 * @returns {{ shown: string, at: Date } | undefined} nothing for a date that Slack would not know either
 */
export function formatDate(target, now, locales = []) {
  const [, seconds = "", format = ""] = target.split("^");
  const at = new Date(Number(seconds) * 1000);
  if (!/^\d+$/.test(seconds) || Number.isNaN(at.getTime())) return undefined;
  const shown = format.replaceAll(
    /\{(\w+)\}/g,
    (token, name) => part(name, at, now, locales) ?? token,
  );
  return { shown, at };
}

/** @param {string} name @param {Date} at @param {Date} now @param {string[]} locales */
function part(name, at, now, locales) {
  const isPretty = name.endsWith(PRETTY);
  const near = isPretty ? nearDay(at, now) : undefined;
  if (near !== undefined) return near;
  const options = PARTS[isPretty ? name.slice(0, -PRETTY.length) : name];
  return options && at.toLocaleString(locales, options);
}

/** @param {Date} at @param {Date} now */
function nearDay(at, now) {
  const days = Math.round((midnight(at) - midnight(now)) / DAY_MS);
  return new Map([
    [-1, "yesterday"],
    [0, "today"],
    [1, "tomorrow"],
  ]).get(days);
}

/** @param {Date} at */
function midnight(at) {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}
