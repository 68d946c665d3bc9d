import { z } from "zod";
import { joined, plainPunctuation, type Segment, unixLines } from "./segments.ts";
import { address } from "./text.ts";

/**
 * Read a message's `rich_text` block: what Slack's own clients send. It tells exactly what is code and what
 * is a link, so it is better than `text`. `undefined` when the message has no such block, or others beside it.
 * Source: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
 */
export function parseRichText(blocks: unknown): Segment[] | undefined {
  const parsed = blocksSchema.safeParse(blocks);
  if (!parsed.success || parsed.data.length === 0) return undefined;
  return joined(parsed.data.flatMap((block) => block.elements.flatMap((part) => readPart(part))));
}

const style = z
  .object({
    bold: z.boolean(),
    italic: z.boolean(),
    strike: z.boolean(),
    code: z.boolean(),
  })
  .partial()
  .optional();

const inlineSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string().transform(unixLines), style }),
  z.object({ type: z.literal("link"), url: z.string(), text: z.string().optional(), style }),
  z.object({ type: z.literal("user"), user_id: z.string(), style }),
  z.object({ type: z.literal("usergroup"), usergroup_id: z.string() }),
  z.object({ type: z.literal("channel"), channel_id: z.string(), name: z.string().optional() }),
  z.object({ type: z.literal("broadcast"), range: z.string() }),
  z.object({ type: z.literal("emoji"), name: z.string(), unicode: z.string().optional() }),
  z.object({ type: z.literal("date"), fallback: z.string().default("") }),
  z.object({ type: z.literal("color"), value: z.string() }),
]);
type Inline = z.output<typeof inlineSchema>;

/** An element that Slack adds one day is left out, not the whole message. */
const inlines = z
  .array(z.unknown())
  .transform((elements) =>
    elements.flatMap((element) => inlineSchema.safeParse(element).data ?? []),
  );

const section = z.object({ type: z.literal("rich_text_section"), elements: inlines });
const partSchema = z.discriminatedUnion("type", [
  section,
  z.object({
    type: z.literal("rich_text_preformatted"),
    elements: inlines,
    language: z.string().optional(),
  }),
  z.object({ type: z.literal("rich_text_quote"), elements: inlines }),
  z.object({
    type: z.literal("rich_text_list"),
    style: z.enum(["bullet", "ordered"]),
    indent: z.number().default(0),
    offset: z.number().default(0),
    elements: z.array(section),
  }),
]);
type Part = z.output<typeof partSchema>;

const blocksSchema = z.array(
  z.object({ type: z.literal("rich_text"), elements: z.array(partSchema) }),
);

function readPart(part: Part): Segment[] {
  switch (part.type) {
    case "rich_text_section":
      return readInlines(part.elements);
    case "rich_text_preformatted": {
      // The end of the last line is the fence's, not the code's.
      const text = part.elements.map(literalText).join("").replace(/\n$/, "");
      return [{ kind: "fence", text, ...(part.language ? { language: part.language } : {}) }];
    }
    // The client made these of "> " and "- " or "1. " at the start of a line.
    case "rich_text_quote":
      return [text("> "), ...readInlines(part.elements), text("\n")];
    case "rich_text_list":
      return part.elements.flatMap((item, index) => {
        const mark = part.style === "bullet" ? "-" : `${part.offset + index + 1}.`;
        return [
          text(`${"  ".repeat(part.indent)}${mark} `),
          ...readInlines(item.elements),
          text("\n"),
        ];
      });
  }
}

function readInlines(elements: readonly Inline[]): Segment[] {
  return elements.map((element, index): Segment => {
    if (element.type === "user") return { kind: "user", userId: element.user_id };
    if (element.type === "emoji") {
      return text(
        emoji(element, literalText(elements[index - 1]), literalText(elements[index + 1])),
      );
    }
    if (element.type !== "text" && element.type !== "link") return text(literalText(element));
    if (element.style?.code) return { kind: "code", text: literalText(element) };
    const shown = element.type === "text" ? plainPunctuation(element.text) : literalText(element);
    return text(withMarks(shown, element.style));
  });
}

/** The client took typed `*`, `_` and `~` for formatting, and they are needed: `rm *.log *.tmp`. */
function withMarks(shown: string, marks: z.output<typeof style>): string {
  let marked = shown;
  if (marks?.strike) marked = `~${marked}~`;
  if (marks?.italic) marked = `_${marked}_`;
  if (marks?.bold) marked = `*${marked}*`;
  return marked;
}

/** `a[1:100:2]` is no emoji, `echo 🎉` is one: between letters and digits it was typed as `:name:`. */
function emoji(element: Inline & { type: "emoji" }, before: string, after: string): string {
  const isInWord = /[\w\]]$/.test(before) || /^[\w[]/.test(after);
  const codes = element.unicode?.split("-").map((code) => Number.parseInt(code, 16)) ?? [];
  const isKnown = codes.length > 0 && codes.every((code) => code >= 0 && code <= 0x10ffff);
  return isInWord || !isKnown ? `:${element.name}:` : String.fromCodePoint(...codes);
}

function literalText(element: Inline | undefined): string {
  switch (element?.type) {
    case undefined:
      return "";
    case "text":
      return element.text;
    case "link":
      return element.text || address(element.url);
    case "user":
      return `@${element.user_id}`;
    case "usergroup":
      return `@${element.usergroup_id}`;
    case "channel":
      return `#${element.name || element.channel_id}`;
    case "broadcast":
      return `@${element.range}`;
    case "emoji":
      return `:${element.name}:`;
    case "date":
      return element.fallback;
    case "color":
      return element.value;
  }
}

function text(shown: string): Segment {
  return { kind: "text", text: shown };
}
