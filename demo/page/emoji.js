/** The names people and apps use most; another one is shown as `:name:`. */
const EMOJI = {
  "+1": "👍",
  thumbsup: "👍",
  "-1": "👎",
  eyes: "👀",
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  no_entry: "⛔",
  octagonal_sign: "🛑",
  warning: "⚠️",
  hourglass: "⌛",
  hourglass_flowing_sand: "⏳",
  stopwatch: "⏱️",
  rocket: "🚀",
  tada: "🎉",
  wave: "👋",
  heart: "❤️",
  fire: "🔥",
  bulb: "💡",
  computer: "💻",
  desktop_computer: "🖥️",
  file_folder: "📁",
  page_facing_up: "📄",
  paperclip: "📎",
  package: "📦",
  gear: "⚙️",
  lock: "🔒",
  zap: "⚡",
  snake: "🐍",
  boom: "💥",
  skull: "💀",
  robot_face: "🤖",
  smile: "😄",
  joy: "😂",
  thinking_face: "🤔",
  pray: "🙏",
  100: "💯",
  arrows_counterclockwise: "🔄",
  point_right: "👉",
  information_source: "ℹ️",
  large_green_circle: "🟢",
  red_circle: "🔴",
  large_yellow_circle: "🟡",
};

/** Offered when one reacts. */
export const QUICK_REACTIONS = ["+1", "eyes", "tada", "heart", "white_check_mark", "rocket"];

/** @param {string} name */
export function emoji(name) {
  const found = /** @type {Record<string, string>} */ (EMOJI)[name];
  return Object.hasOwn(EMOJI, name) && found ? found : `:${name}:`;
}
