export {
  ProxyError,
  type ProxyLimits,
  type ProxyOptions,
  type RunningProxy,
  startProxy,
} from "./proxy.ts";
