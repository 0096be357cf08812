// What a person reads when the server cannot start for want of its Redis: where it was looked for, why, and what to do. Shows no password.

import { TrunklineError } from '../core/errors.js';

const PREFIX = 'Redis cannot be used: ';
const LOGIN = /\/\/([^/]*)@/g;
/** Redis was reached, and did not let us in. */
const REFUSED = /\b(NOAUTH|WRONGPASS|NOPERM|AUTH)\b/;

/** Told to the end: whoever reads it needs no stack. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** The error itself when it is about something else. `url` is `REDIS_URL`. */
export function explained(error: unknown, url: string): unknown {
  if (!(error instanceof TrunklineError) || !error.message.startsWith(PREFIX)) return error;
  const cause = withoutPasswords(error.message.slice(PREFIX.length), url).replace(/\.$/, '');
  const advice = REFUSED.test(cause)
    ? 'Put the login into REDIS_URL, as in redis://user:password@host:6379, and look at the rights of that user in docs/guides/scale.md.'
    : 'Start it, set REDIS_URL to where it is, or run with TRUNKLINE_BACKPLANE=memory.';
  const text = `Redis at ${url.replace(LOGIN, '//')} cannot be used: ${cause}.\n${advice}`;
  return new StartFault(text, { cause: error });
}

/** Servers that are no Redis may repeat what they did not understand. */
function withoutPasswords(text: string, url: string): string {
  const logins = [...url.matchAll(LOGIN)].map(([, login = '']) => login.slice(login.indexOf(':') + 1));
  const secrets = logins.flatMap((secret) => [secret, decoded(secret)]).filter((secret) => secret !== '');
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
