import { execFile } from "node:child_process";

/**
 * The system's own `ping`, which may send ICMP where Node may not. Rejects where there is none, or it is not
 * permitted to.
 */
export function ping(address: string, timeoutMs: number): Promise<boolean> {
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  const options = { timeout: timeoutMs + 1000, env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" } };
  return new Promise((resolve, reject) => {
    execFile("ping", ["-n", "-q", "-c", "1", "-W", seconds, address], options, (error) => {
      if (error === null) resolve(true);
      // 1: no answer. 2, or no such program: it could not even ask.
      else if (error.code === 1 || error.killed === true) resolve(false);
      else reject(error);
    });
  });
}
