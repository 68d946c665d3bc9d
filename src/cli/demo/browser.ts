import { spawn } from "node:child_process";
import type { Environment } from "../../config/environment.ts";
import { findProgram } from "../processes.ts";

/** Opens a page where there is a desktop to open it on; a failure is nobody's business. */
export function openInBrowser(url: string, env: Environment): void {
  const hasDesktop = process.platform === "darwin" || env.DISPLAY || env.WAYLAND_DISPLAY;
  const opener = findProgram(process.platform === "darwin" ? "open" : "xdg-open", env);
  if (!hasDesktop || !opener) return;
  const child = spawn(opener, [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
