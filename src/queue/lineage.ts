import { z } from "zod";

/**
 * The states that a thread's computer has been in, as Redis keeps them: a root, and the steps that led on from
 * there. `at` steps of them hold; those behind it were undone and can be done again. A state is the id of a
 * snapshot, or `null` for the base.
 */
export interface Lineage {
  root: string | null;
  steps: LineageStep[];
  at: number;
}

/** One state of a thread, and the turn that led to it. */
export interface LineageStep {
  snapshot: string | null;
  turnId: string;
  userId: string;
  /** The turn's command, its first characters. */
  command: string;
  finishedAtMs: number;
}

/** Where a thread stands when one of its turns begins. */
export interface Position {
  /** The state that the turn starts from. */
  head: string | null;
  /** The step that an undo takes back, and the state that it leads to. */
  undo: { step: LineageStep; to: string | null } | undefined;
  /** The step that a redo does again. */
  redo: LineageStep | undefined;
}

/** What a turn does to its thread's lineage when it is closed. Without one, the thread stays where it is. */
export type HeadMove =
  /** A new state behind the head; what could be done again is forgotten. */
  | { kind: "commit"; snapshot: string | null }
  | { kind: "undo" }
  | { kind: "redo" }
  /** A new thread, which begins at the head. */
  | { kind: "fork"; threadKey: string };

/** Steps that can be undone; the oldest are forgotten. */
export const LINEAGE_STEPS = 100;
export const STEP_COMMAND_LENGTH = 200;

/** The state after a move. */
export function afterMove(position: Position, move: HeadMove | undefined): string | null {
  switch (move?.kind) {
    case "commit":
      return move.snapshot;
    case "undo":
      return position.undo ? position.undo.to : position.head;
    case "redo":
      return position.redo ? position.redo.snapshot : position.head;
    default:
      return position.head;
  }
}

/** From the fields that BEGIN answers with: an empty string stands for none, as for the base. */
export function positionOf(fields: {
  root: string;
  before: string;
  current: string;
  next: string;
}): Position {
  const root = fields.root || null;
  const [before, current, next] = [fields.before, fields.current, fields.next].map(parseStep);
  return {
    head: current ? current.snapshot : root,
    undo: current && { step: current, to: before ? before.snapshot : root },
    redo: next,
  };
}

export function lineageOf(root: string | null, at: string | null, steps: string[]): Lineage {
  return {
    root: root || null,
    at: Number(at ?? 0),
    steps: steps.flatMap((json) => parseStep(json) ?? []),
  };
}

/** Every snapshot that a thread may still go to. */
export function snapshotsOf({ root, steps }: Lineage): string[] {
  return [root, ...steps.map(({ snapshot }) => snapshot)].flatMap((id) => id ?? []);
}

const stepSchema = z.object({
  snapshot: z.string().nullable(),
  turnId: z.string(),
  userId: z.string(),
  command: z.string(),
  finishedAtMs: z.number(),
});

function parseStep(json: string): LineageStep | undefined {
  return json === "" ? undefined : stepSchema.parse(JSON.parse(json));
}
