import { NinePError } from "./errno.ts";
import { NAME_MAX } from "./protocol.ts";

/**
 * Names are bytes to Linux, and not always UTF-8. Here they are "byte strings": one character from 0 to 255 a byte,
 * so that every name survives unchanged, compares fast and can be a key.
 */

/** A Unicode string as a byte string. Lone surrogates U+DC80 to U+DCFF stand for raw bytes, as Python writes them. */
export function toByteString(text: string): string {
  if (isAscii(text)) return text;
  let bytes = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes +=
      code >= 0xdc80 && code <= 0xdcff
        ? String.fromCharCode(code - 0xdc00)
        : Buffer.from(character, "utf8").toString("latin1");
  }
  return bytes;
}

/** A byte string as people read it; bytes that are not UTF-8 become U+FFFD. */
export function fromByteString(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Can this be the name of a directory entry at all? (CVE-2016-7116 and its kin began with names that were not.) */
export function isEntryName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= NAME_MAX &&
    name !== "." &&
    name !== ".." &&
    !name.includes("/") &&
    !name.includes("\0")
  );
}

/** A name to look up: what cannot exist does not. */
export function checkLookupName(name: string): void {
  if (name.length > NAME_MAX) throw new NinePError("ENAMETOOLONG");
  if (!isEntryName(name)) throw new NinePError("ENOENT");
}

/** A name to create. `.` and `..` exist in every directory. */
export function checkNewName(name: string): void {
  if (name.length > NAME_MAX) throw new NinePError("ENAMETOOLONG");
  if (name === "." || name === "..") throw new NinePError("EEXIST");
  if (!isEntryName(name)) throw new NinePError("EINVAL");
}

/** A name to remove or rename; errors for `.` and `..` as unlink(2), rmdir(2) and rename(2) give them. */
export function checkOldName(name: string): void {
  if (name === ".") throw new NinePError("EINVAL");
  if (name === "..") throw new NinePError("ENOTEMPTY");
  checkLookupName(name);
}
