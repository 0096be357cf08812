// Which pages may connect: exact comparison of parsed origins (RFC 6454), against cross-site WebSocket hijacking.

export interface OriginRequest {
  /** The `Origin` header, or undefined. */
  readonly origin: string | undefined;
  /** The `Host` header. */
  readonly host: string | undefined;
  /** The credential came by cookie, which a browser adds by itself. */
  readonly byCookie: boolean;
}

export class OriginPolicy {
  private readonly allowed: ReadonlySet<string>;

  /** `allowed` empty: only pages served by this very host. */
  constructor(allowed: readonly string[]) {
    this.allowed = new Set(allowed);
  }

  /** Named on the list, and so trusted to read answers from another host. */
  isListed(origin: string): boolean {
    return this.allowed.has(origin);
  }

  /** A missing Origin is a program, not a page; it passes unless it brings a cookie. */
  allows({ origin, host, byCookie }: OriginRequest): boolean {
    if (origin === undefined) return !byCookie;
    const url = parseOrigin(origin);
    if (url === undefined) return false;
    return this.allowed.size > 0 ? this.allowed.has(url.origin) : sameHost(url, host);
  }
}

/** `null`, lists, paths, upper case and trailing dots are no origins a browser sends for a page we trust. */
function parseOrigin(text: string): URL | undefined {
  try {
    const url = new URL(text);
    return url.origin === text && (url.protocol === 'http:' || url.protocol === 'https:') ? url : undefined;
  } catch {
    return undefined;
  }
}

/** The scheme is not compared: behind a proxy that ends TLS we cannot know it. */
function sameHost(url: URL, host: string | undefined): boolean {
  return host !== undefined && url.host === stripDefaultPort(host.toLowerCase(), url.protocol);
}

function stripDefaultPort(host: string, protocol: string): string {
  const port = protocol === 'https:' ? ':443' : ':80';
  return host.endsWith(port) ? host.slice(0, -port.length) : host;
}
