// The JSON file of API keys: read at the start, and again when it has changed. A bad file changes nothing. Says nothing of a key but its name.

import { z } from 'zod';
import { SCOPES } from '../core/identity.js';
import type { CoreLogger } from '../core/ports/application.js';
import type { Clock } from '../core/ports/time.js';
import { parseChannelPattern } from '../protocol/channel-pattern.js';
import { ApiKeys, digestOf, UNNAMED, type ApiKeyEntry } from './api-keys.js';
import { MIN_API_KEY_LENGTH, type AuthOptions } from './auth.options.js';
import { readBounded } from './bounded-file.js';
import { FileWatch } from './file-watch.js';

/** Bytes of the file, and keys in it. */
const MAX_BYTES = 1_048_576;
const MAX_KEYS = 1000;
const MAX_CHANNELS = 64;
const LOOK_EVERY_MS = 1000;

export class ApiKeysFileError extends Error {
  override readonly name = 'ApiKeysFileError';
}

const entry = z
  .strictObject(
    {
      name: z
        .string({ error: 'must be a name' })
        .regex(/^[A-Za-z0-9._-]{1,64}$/, 'may have 64 of the characters A-Z a-z 0-9 . _ -')
        .refine((name) => !name.startsWith(UNNAMED), `must not begin with "${UNNAMED}"`),
      key: z
        .string({ error: 'must be a text' })
        .min(MIN_API_KEY_LENGTH, `must have at least ${MIN_API_KEY_LENGTH} characters`)
        .max(512, 'may have 512 characters')
        .regex(/^[\x21-\x2b\x2d-\x7e]+$/, 'may have neither spaces, commas nor letters beyond ASCII')
        .optional(),
      sha256: z
        .string({ error: 'must be a text' })
        .regex(/^[0-9a-f]{64}$/i, 'must be the SHA-256 of the key in 64 hexadecimal digits')
        .optional(),
      scopes: z.array(
        z.enum(SCOPES as [string, ...string[]], { error: `must be one of ${SCOPES.join(', ')}` }),
        {
          error: `must be a list of ${SCOPES.join(', ')}`,
        },
      ),
      channels: z
        .array(z.string({ error: 'must be a channel pattern' }).superRefine(checkPattern), {
          error: 'must be a list of channel patterns',
        })
        .max(MAX_CHANNELS, `may have ${MAX_CHANNELS} patterns`)
        .optional(),
    },
    { error: 'must be an object with "name", "key" or "sha256", "scopes", and perhaps "channels"' },
  )
  .refine(
    ({ key, sha256 }) => (key === undefined) !== (sha256 === undefined),
    'must have either "key" or "sha256"',
  );

const entries = z
  .array(entry, { error: 'must hold a list of keys: [{ "name": …, "key": …, "scopes": […] }, …]' })
  .max(MAX_KEYS, `may hold ${MAX_KEYS} keys`)
  .superRefine((list, context) => {
    const names = new Set<string>();
    list.forEach(({ name }, at) => {
      if (names.has(name))
        context.addIssue({ code: 'custom', path: [at, 'name'], message: 'is there twice' });
      names.add(name);
    });
  });

/** Throws ApiKeysFileError, whose words name the variable and quote no key. */
export function readApiKeysFile(path: string): readonly ApiKeyEntry[] {
  let text: string;
  try {
    text = readBounded(path, MAX_BYTES);
  } catch (thrown) {
    throw fault(`the file cannot be read (${thrown instanceof Error ? thrown.message : String(thrown)})`);
  }
  return parseApiKeys(text);
}

export function parseApiKeys(text: string): readonly ApiKeyEntry[] {
  const parsed = entries.safeParse(parse(text));
  if (!parsed.success) throw fault(parsed.error.issues.map(sentenceOf).join('; '));
  return parsed.data.map(({ name, key, sha256, scopes, channels }) => ({
    name,
    digest: key === undefined ? Buffer.from(sha256 ?? '', 'hex') : digestOf(key),
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    channels,
  }));
}

/** The parser's own words would quote the file. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw fault('the file is not JSON');
  }
}

function fault(why: string): ApiKeysFileError {
  return new ApiKeysFileError(`TRUNKLINE_API_KEYS_FILE: ${why}.`);
}

/** Unknown fields are named by their number: who mistook a place for another may have put a key there. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const { path, message } = issue;
  const [index, ...rest] = path;
  if (typeof index !== 'number') return `it ${message}`;
  const where = `key ${index + 1}${rest.length === 0 ? '' : ` "${rest.join('.')}"`}`;
  if (issue.code === 'unrecognized_keys')
    return `${where} has ${issue.keys.length} unknown field${issue.keys.length === 1 ? '' : 's'}`;
  return `${where} ${message}`;
}

function checkPattern(text: string, context: z.RefinementCtx): void {
  try {
    parseChannelPattern(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a channel pattern such as "orders:*"' });
  }
}

/** The keys that the options name. Throws ApiKeysFileError. */
export function apiKeysOf({ apiKeys, apiKeysFile }: Pick<AuthOptions, 'apiKeys' | 'apiKeysFile'>): ApiKeys {
  const read = apiKeysFile === '' ? [] : readApiKeysFile(apiKeysFile);
  try {
    return new ApiKeys(apiKeys, read);
  } catch (thrown) {
    throw fault((thrown as Error).message);
  }
}

export interface ApiKeysFileParts {
  readonly path: string;
  /** Its state just before the keys were read. */
  readonly readAs: string;
  readonly keys: ApiKeys;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: CoreLogger;
}

export class ApiKeysFile {
  private readonly watch: FileWatch;

  constructor(private readonly parts: ApiKeysFileParts) {
    const { path, readAs: known, clock } = parts;
    const onChange = (): void => this.reload();
    this.watch = new FileWatch({ paths: [path], known, everyMs: LOOK_EVERY_MS, clock, onChange });
  }

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }

  /** A file that is not good is told once, and the keys stay as they were. */
  private reload(): void {
    const { path, keys, logger } = this.parts;
    try {
      const read = readApiKeysFile(path);
      keys.replace(read);
      logger.warn('The API keys were read again.', { keys: read.map(({ name }) => name).join(' ') });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error('The new API keys are not good; the old ones stay.', { reason });
    }
  }
}
