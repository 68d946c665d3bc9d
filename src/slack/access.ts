import type { AccessConfig } from "../config/index.ts";

/** A sentence for somebody who may not give commands here, or `undefined` for everybody else. */
export function refusal(
  access: AccessConfig,
  { userId, channelId }: { userId: string; channelId: string },
): string | undefined {
  if (access.users && !access.users.has(userId)) {
    return "You are not on the list of people I take commands from. Ask whoever runs me to add you.";
  }
  if (access.channels && !access.channels.has(channelId)) {
    return "I take no commands in this channel. Ask whoever runs me to add it.";
  }
  return undefined;
}
