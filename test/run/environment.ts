import { dataDir, type Environment } from "../../src/config/environment.ts";

/** Settings of a real installation, which a test must never get to see. */
const ofAnInstallation = /^(SLACK_|REDIS_URL$|PORT$|MOM_(?!TEST_|SEED$))/;

/**
 * The environment of the tests: the person's, without the settings of their Mom but for the data folder, where the
 * built image lies, and for what is said to the tests themselves.
 */
export function testEnvironment(env: Environment): Record<string, string> {
  const clean: Record<string, string> = { MOM_DATA_DIR: dataDir(env), NO_COLOR: "1" };
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !ofAnInstallation.test(name)) clean[name] = value;
  }
  return clean;
}
