/** Why an image could not be built or opened. Callers match on the code; people read the message. */
export type ImageErrorCode =
  /** No image at that place. */
  | "IMAGE_MISSING"
  /** A part of the image is absent or has the wrong size. */
  | "IMAGE_INCOMPLETE"
  /** A part of the image has the right size but other bytes than were built. */
  | "IMAGE_CORRUPT"
  /** The root tarball is damaged, hostile or of a kind that cannot be read. */
  | "BAD_ARCHIVE"
  /** The root tree lacks something an image needs: kernel, modules, busybox. */
  | "BAD_ROOT"
  | "TOOL_MISSING"
  | "NOT_ROOT"
  | "DISK_FULL"
  | "BUILD_FAILED"
  | "ABORTED";

export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
