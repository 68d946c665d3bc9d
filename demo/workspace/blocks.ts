import { z } from "zod";
import { shortId } from "./ids.ts";
import type { Block } from "./types.ts";

/** Limits of Block Kit. Source: https://docs.slack.dev/reference/block-kit/blocks */
const MAX_BLOCKS = 50;
const MAX_SECTION_CHARS = 3_000;
const MAX_SECTION_FIELDS = 10;
const MAX_FIELD_CHARS = 2_000;
const MAX_HEADER_CHARS = 150;
const MAX_CONTEXT_ELEMENTS = 10;
const MAX_ACTIONS = 25;
const MAX_BUTTON_CHARS = 75;
const MAX_BUTTON_VALUE_CHARS = 2_000;
const MAX_ID_CHARS = 255;
const MAX_MARKDOWN_CHARS = 12_000;
/** Not documented; messages whose blocks hold more have been refused. */
const MAX_TOTAL_CHARS = 13_000;

const textObject = (maxChars: number) =>
  z.looseObject({
    type: z.enum(["mrkdwn", "plain_text"]),
    text: z.string().min(1).max(maxChars),
  });
const plainText = (maxChars: number) =>
  z.looseObject({ type: z.literal("plain_text"), text: z.string().min(1).max(maxChars) });
const id = z.string().max(MAX_ID_CHARS).optional();

const element = z.looseObject({ type: z.string(), action_id: id }).superRefine((value, context) => {
  if (value.type !== "button") return;
  const button = z
    .looseObject({
      text: plainText(MAX_BUTTON_CHARS),
      value: z.string().max(MAX_BUTTON_VALUE_CHARS).optional(),
      style: z.enum(["primary", "danger"]).optional(),
    })
    .safeParse(value);
  if (!button.success) context.addIssue({ code: "custom", message: "not a valid button" });
});

const block = z.discriminatedUnion("type", [
  z
    .looseObject({
      type: z.literal("section"),
      block_id: id,
      text: textObject(MAX_SECTION_CHARS).optional(),
      fields: z.array(textObject(MAX_FIELD_CHARS)).min(1).max(MAX_SECTION_FIELDS).optional(),
      accessory: element.optional(),
    })
    .refine((section) => section.text ?? section.fields, "a section needs text or fields"),
  z.looseObject({ type: z.literal("header"), block_id: id, text: plainText(MAX_HEADER_CHARS) }),
  z.looseObject({ type: z.literal("divider"), block_id: id }),
  z.looseObject({
    type: z.literal("context"),
    block_id: id,
    elements: z
      .array(z.looseObject({ type: z.string() }))
      .min(1)
      .max(MAX_CONTEXT_ELEMENTS),
  }),
  z.looseObject({
    type: z.literal("actions"),
    block_id: id,
    elements: z.array(element).min(1).max(MAX_ACTIONS),
  }),
  z.looseObject({
    type: z.literal("image"),
    block_id: id,
    alt_text: z.string().max(2_000),
    image_url: z.string().max(3_000).optional(),
  }),
  z.looseObject({
    type: z.literal("rich_text"),
    block_id: id,
    elements: z.array(z.looseObject({ type: z.string(), elements: z.array(z.unknown()) })),
  }),
  z.looseObject({
    type: z.literal("markdown"),
    block_id: id,
    text: z.string().min(1).max(MAX_MARKDOWN_CHARS),
  }),
  z.looseObject({ type: z.literal("context_actions"), block_id: id }),
  z.looseObject({ type: z.literal("file"), block_id: id }),
  z.looseObject({ type: z.literal("video"), block_id: id }),
  z.looseObject({ type: z.literal("input"), block_id: id }),
  z.looseObject({ type: z.literal("table"), block_id: id }),
]);

/** Blocks within Slack's limits, with the ids that Slack gives where the app gave none. */
export const blocksSchema = z
  .array(block)
  .max(MAX_BLOCKS)
  .refine((blocks) => charactersIn(blocks) <= MAX_TOTAL_CHARS, "too many characters in all blocks")
  .transform((blocks) => blocks.map((candidate) => withIds(candidate)));

function charactersIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + charactersIn(item), 0);
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value).reduce(
    (sum, [key, item]) =>
      sum + (key === "text" && typeof item === "string" ? item.length : charactersIn(item)),
    0,
  );
}

function withIds(candidate: Block): Block {
  const named: Block = { ...candidate, block_id: candidate.block_id ?? shortId() };
  if (named.type === "actions" && Array.isArray(named.elements)) {
    named.elements = named.elements.map(withActionId);
  }
  if (named.accessory !== undefined) named.accessory = withActionId(named.accessory);
  return named;
}

function withActionId(item: unknown): unknown {
  if (typeof item !== "object" || item === null || "action_id" in item) return item;
  return { ...item, action_id: shortId() };
}
