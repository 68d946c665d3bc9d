import { devNull } from "node:os";
import type { Environment } from "../../config/environment.ts";

/** Settings of a real installation that the demo sets itself, or that would shut its people out. */
const ownSettings =
  /^(SLACK_|REDIS_URL$|PORT$|MOM_EXPOSE_|MOM_ALLOWED_|MOM_QUEUE_PREFIX$|MOM_WORKER_ID$)/;

/** The environment of the demo's parts: the person's, with the demo's own settings instead of a real Slack's. */
export function demoEnvironment(
  env: Environment,
  settings: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !ownSettings.test(name)) kept[name] = value;
  }
  // What `.env` says is in `env` already, without the settings that are not for the demo.
  return { ...kept, ...settings, MOM_ENV_FILE: devNull };
}
