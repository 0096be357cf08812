// The file with public keys, read once at the start: PEM blocks, a JWK, or a JWK set. Knows no token.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Algorithm } from './auth.options.js';
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

export class FileKeys implements KeySource {
  private readonly set: KeySet;

  constructor(path: string, algorithms: readonly Algorithm[]) {
    this.set = new KeySet(readKeys(path, algorithms));
  }

  get size(): number {
    return this.set.keys.length;
  }

  async find(kid: string | undefined, alg: string): Promise<readonly VerificationKey[]> {
    return this.set.find(kid, alg);
  }
}

function readKeys(path: string, algorithms: readonly Algorithm[]): VerificationKey[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
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
