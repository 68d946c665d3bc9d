export type BenchErrorCode =
  /** A file to compare with is missing or is not one of a bench. */
  | "BAD_COMPARISON"
  /** The stock machine did not do what it was asked. */
  | "STOCK_FAILED"
  /** A command of a bench failed in the guest: there is nothing to time. */
  | "COMMAND_FAILED"
  /** This system cannot tell what the bench asks of it. */
  | "NOT_MEASURABLE";

export class BenchError extends Error {
  override readonly name = "BenchError";
  readonly code: BenchErrorCode;

  constructor(code: BenchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
