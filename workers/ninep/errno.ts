/**
 * Error numbers as the guest reads them in `Rlerror`: Linux's own, which are the same on i386 and x86-64
 * (include/uapi/asm-generic/errno-base.h and errno.h).
 */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  ENOMEM: 12,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

export type ErrnoName = keyof typeof Errno;

/** Thrown by a file system or the server to answer a request with `Rlerror`. */
export class NinePError extends Error {
  override readonly name = "NinePError";
  readonly code: ErrnoName;

  constructor(code: ErrnoName, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get errno(): number {
    return Errno[this.code];
  }
}

/** What the guest's programs understand when the host's own storage fails below us. */
const hostFailures = new Set<ErrnoName>(["ENOSPC", "EDQUOT", "ENOMEM"]);

/**
 * The error as the guest is to see it. A full host disk stays a full disk; every other failure of the host is an
 * I/O error, whatever the host calls it: a blob that is missing must not look like a guest's missing file.
 */
export function toNinePError(error: unknown): NinePError {
  if (error instanceof NinePError) return error;
  const hostCode = (error as { code?: unknown } | null | undefined)?.code;
  const known = [...hostFailures].find((name) => name === hostCode);
  return new NinePError(known ?? "EIO", "the host could not do what the guest asked", {
    cause: error,
  });
}
