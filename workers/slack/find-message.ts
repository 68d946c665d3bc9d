import type { WebClient } from "@slack/web-api";
import { z } from "zod";

/** Where a turn's message stands. */
export interface Place {
  channelId: string;
  /** The thread; `undefined` at the top level of a direct message. */
  threadTs: string | undefined;
  /** The message that asked: the answer is below it. */
  messageTs: string;
  turnId: string;
}

const EVENT_TYPE = "mom_turn";
const MESSAGES_A_PAGE = 200;
const MAX_PAGES = 10;

/** What a turn's message carries, invisible to people (https://docs.slack.dev/messaging/message-metadata). */
export function turnMetadata(turnId: string) {
  return { event_type: EVENT_TYPE, event_payload: { turn_id: turnId } };
}

/** The `ts` of all messages that stand for this turn, oldest first: more than one when two workers had it at once. */
export async function findTurnMessages(client: WebClient, place: Place): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const since = {
      channel: place.channelId,
      oldest: place.messageTs,
      include_all_metadata: true,
      limit: MESSAGES_A_PAGE,
      ...(cursor ? { cursor } : {}),
    };
    const answer = place.threadTs
      ? await client.conversations.replies({ ...since, ts: place.threadTs })
      : await client.conversations.history(since);
    for (const message of answer.messages ?? []) {
      const metadata = metadataSchema.safeParse(message.metadata);
      if (message.ts && metadata.data?.event_payload.turn_id === place.turnId) {
        found.push(message.ts);
      }
    }
    cursor = answer.response_metadata?.next_cursor;
    if (!answer.has_more || !cursor) break;
  }
  return found.sort();
}

const metadataSchema = z.object({
  event_type: z.literal(EVENT_TYPE),
  event_payload: z.object({ turn_id: z.string() }),
});
