import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfigError } from "../config/index.ts";

const MAX_BYTES = 1024 * 1024;
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * The certificates in the operator's file, one after the other as PEM, and nothing else that stands there: a private
 * key beside them never reaches a guest. Throws `ConfigError`.
 */
export function readCertificates(path: string): string {
  const text = readText(path);
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0 || text.length > MAX_BYTES) {
    const what = blocks.length === 0 ? "has no certificate in PEM" : "is larger than a megabyte";
    throw new ConfigError("CONFIG_INVALID", `MOM_EXTRA_CA_CERTS is ${path}, which ${what}.`);
  }
  return blocks.map((block, index) => normal(block, index + 1, path)).join("");
}

/** In lines of 64, as the guest's own are. */
function normal(block: string, number: number, path: string): string {
  try {
    return new X509Certificate(block).toString();
  } catch (cause) {
    const message = `MOM_EXTRA_CA_CERTS is ${path}, whose certificate ${number} is damaged.`;
    throw new ConfigError("CONFIG_INVALID", message, { cause });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new ConfigError(
      "CONFIG_INVALID",
      `MOM_EXTRA_CA_CERTS is ${path}, which cannot be read (${code}).`,
      { cause },
    );
  }
}
