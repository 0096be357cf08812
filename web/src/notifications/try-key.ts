// An API key to try things with: made up in this tab, so that no sample key is known to the world. Knows no server.

import { readStored, writeStored } from '../stored.js';

const KEY = 'trunkline-try-key';

/** The same over a reload: the server may have been started with it meanwhile. */
export function tryKey(): string {
  const stored = readStored(KEY)['key'];
  if (typeof stored === 'string' && /^[0-9a-z]{24}$/.test(stored)) return stored;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  writeStored(KEY, { key });
  return key;
}
