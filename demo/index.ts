import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebApi } from "./api/api.ts";
import type { ApiContext } from "./api/call.ts";
import { RateLimiter } from "./api/rate-limit.ts";
import { Delivery } from "./delivery/delivery.ts";
import { ResponseUrls } from "./delivery/response-urls.ts";
import { SocketMode } from "./delivery/socket-mode.ts";
import { Faults } from "./faults.ts";
import { PageRoutes, readPage } from "./http/page-routes.ts";
import { createSlackServer } from "./http/server.ts";
import { People } from "./people.ts";
import type { WorkspaceConfig } from "./workspace/config.ts";
import { Workspace } from "./workspace/workspace.ts";

export type { Fault, FaultInput } from "./faults.ts";
export { createWorkspaceConfig, type WorkspaceConfig } from "./workspace/config.ts";
export type { Channel, FileObject, Message, WorkspaceChange } from "./workspace/types.ts";

export interface LocalSlackOptions {
  workspace: WorkspaceConfig;
  /** 0 for any that is free. */
  port?: number;
  now?: () => number;
  log?: (line: string) => void;
}

export interface LocalSlack {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** For `clientOptions.slackApiUrl`; ends with `/api/`. */
  apiUrl: string;
  /** The web page to chat in. */
  pageUrl: string;
  workspace: Workspace;
  people: People;
  faults: Faults;
  delivery: Delivery;
  api: WebApi;
  socket: SocketMode;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/**
 * A Slack of one workspace and one app on loopback, with everything in memory.
 *
 * @example
 * const slack = await startSlack({ workspace: createWorkspaceConfig() });
 * const app = new App({
 *   token: slack.workspace.config.app.botToken,
 *   appToken: slack.workspace.config.app.appToken,
 *   socketMode: true,
 *   clientOptions: { slackApiUrl: slack.apiUrl },
 * });
 */
export async function startSlack(options: LocalSlackOptions): Promise<LocalSlack> {
  const now = options.now ?? Date.now;
  const workspace = new Workspace(options.workspace, now);
  const socket = new SocketMode(options.workspace, now);
  const faults = new Faults(socket);
  const delivery = new Delivery(workspace, faults, socket);
  const responseUrls = new ResponseUrls(workspace);
  const people = new People(workspace, delivery, responseUrls);
  const page = new PageRoutes(workspace, people, await readPage());
  const context: ApiContext = { workspace, socket, delivery, baseUrl: "" };
  const api = new WebApi(context, new RateLimiter(options.workspace.rateLimits, now), faults);
  const server = createSlackServer({
    workspace,
    api,
    page,
    socket,
    delivery,
    responseUrls,
    faults,
    log: options.log ?? (() => {}),
  });
  server.listen(options.port ?? 0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://${HOST}:${port}`;
  context.baseUrl = url;
  responseUrls.baseUrl = url;
  workspace.files.baseUrl = url;
  return {
    url,
    apiUrl: `${url}/api/`,
    pageUrl: `${url}/`,
    workspace,
    people,
    faults,
    delivery,
    api,
    socket,
    async close() {
      delivery.close();
      await socket.close();
      page.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
