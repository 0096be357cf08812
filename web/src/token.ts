// Where the token of this tab comes from: the development endpoint, or pasted by hand. Knows no page.

export interface Credential {
  readonly user: string;
  readonly name: string;
  /** Asked for at every connect: a development token is fresh each time, a pasted one is what it is. */
  token(): Promise<string>;
}

/** The server hands out no tokens: it is not in development. */
export class NoDevTokens extends Error {}

export class BadToken extends Error {}

/** Not now; a later try may succeed. */
export class TokenUnavailable extends Error {}

interface DevToken {
  readonly token: string;
  readonly user: string;
}

export async function devCredential(user: string, name: string): Promise<Credential> {
  // The first token is fetched now, so that a missing endpoint shows on the join card and not in an endless reconnect.
  let first: DevToken | undefined = await requestDevToken(user, name);
  const granted = first.user;
  return {
    user: granted,
    name,
    async token() {
      const answer = first ?? (await requestDevToken(user, name));
      first = undefined;
      return answer.token;
    },
  };
}

async function requestDevToken(user: string, name: string): Promise<DevToken> {
  const response = await fetch('/api/dev/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, name }),
  }).catch(() => undefined);
  if (response === undefined) throw new TokenUnavailable('The server cannot be reached. Is it running?');
  if (response.status === 404) throw new NoDevTokens('This server hands out no development tokens.');
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok)
    throw new TokenUnavailable(
      problemText(body) ?? `The server answered ${response.status} to the request for a token.`,
    );
  if (!isDevToken(body))
    throw new TokenUnavailable('The server answered the request for a token with something else.');
  return body;
}

function isDevToken(body: unknown): body is DevToken {
  return (
    typeof body === 'object' &&
    body !== null &&
    'token' in body &&
    typeof body.token === 'string' &&
    'user' in body &&
    typeof body.user === 'string'
  );
}

/** The sentence of a problem+json body. */
function problemText(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  if ('detail' in body && typeof body.detail === 'string') return body.detail;
  if ('title' in body && typeof body.title === 'string') return body.title;
  return undefined;
}

/** Reads the claims to know whose token it is. Whether it is good, the server says: it is asked about a channel of that user. */
export async function pastedCredential(
  token: string,
  name: string,
  channelOf: (user: string) => string,
): Promise<Credential> {
  const claims = readClaims(token);
  const { sub: user, exp } = claims;
  if (typeof user !== 'string' || user === '') throw new BadToken('The token names no user (claim "sub").');
  await assertAccepted(token, channelOf(user));
  return {
    user,
    name: typeof claims['name'] === 'string' ? claims['name'] : name,
    async token() {
      // Rejects rather than throws, as a fetch would.
      if (typeof exp === 'number' && exp * 1000 <= Date.now())
        throw new BadToken('Your token has ended. Paste a new one.');
      return token;
    },
  };
}

/** A browser hides why a WebSocket was refused, so the token is shown to the REST API first. */
async function assertAccepted(token: string, channel: string): Promise<void> {
  const response = await fetch(`/api/channels/${encodeURIComponent(channel)}/members`, {
    headers: { authorization: `Bearer ${token}` },
  }).catch(() => undefined);
  if (response === undefined) throw new TokenUnavailable('The server cannot be reached. Is it running?');
  if (response.status !== 401) return;
  throw new BadToken(
    problemText(await response.json().catch(() => undefined)) ?? 'The server refuses this token.',
  );
}

function readClaims(token: string): Record<string, unknown> {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims === 'object' && claims !== null) return { ...claims };
  } catch {
    // Falls through to the one sentence for every way a token can be unreadable.
  }
  throw new BadToken('This does not look like a JSON Web Token: three parts with dots between them.');
}
