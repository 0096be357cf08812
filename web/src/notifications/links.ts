// Which address of a notification becomes a link: http(s), or a path of this very site. The rest is not shown at all. Pure.

export interface SafeLink {
  readonly href: string;
  /** The host it leads to; undefined for this site. */
  readonly host: string | undefined;
}

/** Asks the parser that follows the link, since `//host`, `/\host` and a path with a tab in it lead elsewhere. */
export function safeLink(value: unknown, origin: string): SafeLink | undefined {
  if (typeof value !== 'string' || !(value.startsWith('/') || /^https?:\/\//iu.test(value))) return undefined;
  if (!URL.canParse(value, origin)) return undefined;
  const url = new URL(value, origin);
  if (url.origin === origin) return { href: url.href, host: undefined };
  // What looks like a path of this site must be one.
  if (value.startsWith('/') || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return { href: url.href, host: url.host };
}
