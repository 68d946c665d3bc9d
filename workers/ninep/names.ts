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

/** A byte string as Unicode without loss: bytes that are not UTF-8 become lone surrogates, as `toByteString` reads them. */
export function fromByteStringExactly(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  return bytes.replace(UTF8_OR_BYTE, (part) =>
    part.length === 1 && part > "\x7f"
      ? String.fromCharCode(0xdc00 + part.charCodeAt(0))
      : Buffer.from(part, "latin1").toString("utf8"),
  );
}

/** The well-formed sequences of RFC 3629, section 4, else one byte. */
const UTF8_OR_BYTE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are bytes like the others
  /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

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
