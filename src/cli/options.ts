import { InvalidArgumentError } from "commander";

/** A port, or 0 for any that is free. */
export const portNumber = wholeNumber(0, 65_535);

/** Reads an option's value as a whole number within limits; commander shows the message beside the option. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** For an option that may be repeated: keeps the values of all. */
export function collected<Value>(
  parse: (text: string) => Value,
): (text: string, earlier: readonly Value[]) => Value[] {
  return (text, earlier) => [...earlier, parse(text)];
}
