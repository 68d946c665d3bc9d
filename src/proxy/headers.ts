/** Names in lower case, values in the order of coming. */
export type Headers = Map<string, string[]>;

/** Of one connection, and not of the message (RFC 9110 section 7.6.1); the last two are old. */
const OF_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "http2-settings",
]);

/** Who sends these for themselves says something of somebody else. */
const FORWARDING = /^(?:forwarded|x-forwarded-.*|x-real-ip)$/;

/** `cookies` of Clear-Site-Data are those of the whole domain, other names' included; Alt-Svc leads elsewhere. */
const BEYOND_NAME = new Set(["clear-site-data", "alt-svc"]);

/** What a client's request is passed on with. */
export function requestHeaders(
  rawHeaders: readonly string[],
  from: { address: string; host: string; protocol: string },
): Headers {
  const headers = ofMessage(rawHeaders);
  for (const name of headers.keys()) if (FORWARDING.test(name)) headers.delete(name);
  // Answered by the proxy itself.
  headers.delete("expect");
  return headers
    .set("host", [from.host])
    .set("x-forwarded-for", [from.address])
    .set("x-forwarded-host", [from.host])
    .set("x-forwarded-proto", [from.protocol]);
}

/** What an answer from a guest is passed on with: nothing that holds beyond its own name. */
export function responseHeaders(rawHeaders: readonly string[]): Headers {
  const headers = ofMessage(rawHeaders);
  for (const name of BEYOND_NAME) headers.delete(name);
  const cookies = headers.get("set-cookie");
  if (cookies) headers.set("set-cookie", cookies.map(withoutDomain));
  // The address is all that keeps others out: it is not told to the sites that a page leads to.
  if (!headers.has("referrer-policy")) headers.set("referrer-policy", ["same-origin"]);
  return headers;
}

function ofMessage(rawHeaders: readonly string[]): Headers {
  const headers: Headers = new Map();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  }
  const named = (headers.get("connection") ?? []).join(",").toLowerCase().split(",");
  for (const name of [...OF_CONNECTION, ...named.map((name) => name.trim())]) headers.delete(name);
  return headers;
}

/** A cookie without a domain is for the host that set it alone (RFC 6265 section 4.1.2.3). */
function withoutDomain(cookie: string): string {
  return cookie
    .split(";")
    .filter((attribute, index) => index === 0 || !/^\s*domain\s*(?:=|$)/i.test(attribute))
    .join(";");
}
