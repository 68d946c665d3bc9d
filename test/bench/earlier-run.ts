import { readFile } from "node:fs/promises";
import { z } from "zod";
import { BenchError } from "./errors.ts";
import { type Figure, figureSchema } from "./figures.ts";

/** The figures that an earlier run wrote. Throws `BenchError` `BAD_COMPARISON`. */
export async function readEarlierRun(path: string): Promise<Figure[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new BenchError("BAD_COMPARISON", `${path} cannot be read: nothing to compare with.`, {
      cause,
    });
  }
  try {
    return z.array(figureSchema).parse(JSON.parse(text));
  } catch (cause) {
    throw new BenchError(
      "BAD_COMPARISON",
      `${path} is not what \`./mom bench --out FILE\` writes: nothing to compare with.`,
      { cause },
    );
  }
}
