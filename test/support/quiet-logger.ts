import { type Logger, LogLevel } from "@slack/logger";

/** For clients whose troubles the test makes itself. */
export const quietLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  getLevel: () => LogLevel.ERROR,
  setName() {},
};
