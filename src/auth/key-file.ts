// The file with public keys (PEM blocks, a JWK, or a JWK set): read at the start, and again when it has changed. A bad file changes nothing.
// Says nothing of a key but how many there are, and knows no token.

import { createPublicKey } from 'node:crypto';
import type { CoreLogger } from '../core/ports/application.js';
import type { Clock } from '../core/ports/time.js';
import type { Algorithm } from './auth.options.js';
import type { AuthStats } from './auth.stats.js';
import { readBounded } from './bounded-file.js';
import { FileWatch, stateOf } from './file-watch.js';
import {
  bind,
  keysOf,
  KeySet,
  MAX_KEYS,
  UnusableKey,
  type KeySource,
  type VerificationKey,
} from './verification-keys.js';

/** Told to the operator at the start; names the variable and quotes nothing of the file. */
export class KeyFileError extends Error {
  constructor(why: string) {
    super(`TRUNKLINE_JWT_PUBLIC_KEY_FILE: ${why}.`);
    this.name = 'KeyFileError';
  }
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

/** Bytes; a hundred RSA keys of the largest kind have 200,000. */
const MAX_BYTES = 1_048_576;
const LOOK_EVERY_MS = 1000;

export class FileKeys implements KeySource {
  /** The file as it was just before it was first read: what changes after that is seen by who follows it. */
  readonly readAs: string;
  private set: KeySet;

  /** Throws KeyFileError. */
  constructor(
    readonly path: string,
    private readonly algorithms: readonly Algorithm[],
  ) {
    this.readAs = stateOf(path);
    this.set = new KeySet(readKeys(path, algorithms));
  }

  get size(): number {
    return this.set.keys.length;
  }

  async find(kid: string | undefined, alg: string): Promise<readonly VerificationKey[]> {
    return this.set.find(kid, alg);
  }

  /** All keys of the file in the place of those so far. Throws KeyFileError, and changes nothing, when it is not good. */
  reload(): void {
    this.set = new KeySet(readKeys(this.path, this.algorithms));
  }
}

export interface KeyFileParts {
  readonly keys: FileKeys;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: CoreLogger;
  readonly stats: Pick<AuthStats, 'keys'>;
}

/** Sessions that are open go on until their token ends, as with a fetched set: a key that is taken out refuses what comes after. */
export class KeyFile {
  private readonly watch: FileWatch;

  constructor(private readonly parts: KeyFileParts) {
    const { keys, clock } = parts;
    this.watch = new FileWatch({
      paths: [keys.path],
      known: keys.readAs,
      everyMs: LOOK_EVERY_MS,
      clock,
      onChange: () => this.reload(),
    });
  }

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }

  /** A file that is not good is told once, and the keys stay as they were. */
  private reload(): void {
    const { keys, logger, stats } = this.parts;
    try {
      keys.reload();
      stats.keys = keys.size;
      logger.warn('The public keys were read again.', { keys: keys.size });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error('The new public keys are not good; the old ones stay.', { reason, keysInUse: keys.size });
    }
  }
}

function readKeys(path: string, algorithms: readonly Algorithm[]): VerificationKey[] {
  let text: string;
  try {
    text = readBounded(path, MAX_BYTES);
  } catch (error) {
    throw new KeyFileError(
      `the file cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  try {
    return text.includes('-----BEGIN ') ? pemKeys(text, algorithms) : keysOf(parse(text), algorithms);
  } catch (error) {
    if (error instanceof UnusableKey) throw new KeyFileError(`a key ${error.because}`);
    throw error;
  }
}

/** Each block is a key without a `kid`: two of them stand side by side while keys are changed. */
function pemKeys(text: string, algorithms: readonly Algorithm[]): VerificationKey[] {
  const blocks = [...text.matchAll(PEM_BLOCK)];
  if (blocks.length === 0) throw new KeyFileError('the PEM block has no end');
  if (blocks.length > MAX_KEYS) throw new KeyFileError(`has more than ${MAX_KEYS} keys`);
  return blocks.map(([block, label = '']) => {
    if (label !== 'PUBLIC KEY')
      throw new KeyFileError(
        `holds "${label}"; it takes "PUBLIC KEY" blocks, as "openssl pkey -pubout" writes`,
      );
    try {
      return bind(createPublicKey(block), { kid: undefined, named: undefined, algorithms });
    } catch (error) {
      throw error instanceof UnusableKey ? error : new UnusableKey('cannot be read');
    }
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyFileError('the file is neither PEM nor JSON');
  }
}
