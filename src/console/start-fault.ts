// What a person reads when the server cannot start for want of its Redis, or of the port of operators: where, why, and what to do. Shows no
// password.

import { TrunklineError } from '../core/errors.js';

const PREFIX = 'Redis cannot be used: ';
const OPS_PREFIX = 'Health and metrics cannot be served: ';
const LOGIN = /\/\/([^/]*)@/g;
/** Redis was reached, and did not let us in. */
const REFUSED = /\b(NOAUTH|WRONGPASS|NOPERM|AUTH)\b/;

const OPS_ADVICE =
  'Set TRUNKLINE_OPS_PORT to a free port and TRUNKLINE_OPS_HOST to an address of this machine, or leave both empty: then they are on PORT.';

/** Told to the end: whoever reads it needs no stack. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** The error itself when it is about something else. `url` is `REDIS_URL`. */
export function explained(error: unknown, url: string): unknown {
  if (!(error instanceof TrunklineError)) return error;
  if (error.message.startsWith(OPS_PREFIX))
    return new StartFault(`${error.message}.\n${OPS_ADVICE}`, { cause: error });
  if (!error.message.startsWith(PREFIX)) return error;
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
