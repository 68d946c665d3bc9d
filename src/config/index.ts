export * from "./config.ts";
export { dataDir, type Environment, readEnvironment } from "./environment.ts";
export { ConfigError, type ConfigErrorCode } from "./errors.ts";
export { type ExposeConfig, exposeConfig, exposedUrl } from "./expose.ts";
export { type NetworkConfig, type NetworkLimits, networkConfig } from "./network.ts";
