export { createApp, type SlackApp, type SlackAppOptions, STOP_ACTION } from "./app.ts";
export { SlackAppError, type SlackAppErrorCode } from "./errors.ts";
