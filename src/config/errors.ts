/** `CONFIG_MISSING`: a value is needed and not set. `CONFIG_INVALID`: a value is set and wrong. */
export type ConfigErrorCode = "CONFIG_MISSING" | "CONFIG_INVALID" | "CONFIG_FILE";

/** What is wrong with the settings: one sentence a wrong value, each on its own line, never a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;

  constructor(code: ConfigErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
