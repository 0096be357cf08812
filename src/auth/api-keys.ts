// The keys of backends: text → name and rights. Keeps digests alone; knows no file and no request.

import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { parseChannelPattern } from '../protocol/channel-pattern.js';
import { SCOPES, type KeyRights, type Scope } from '../core/identity.js';

export interface ApiKey extends KeyRights {
  /** Another one for each text: a ticket that a key gave is no good once the text was changed. Tells nothing of the text. */
  readonly tag: string;
}

/** A key as a file names it. */
export interface ApiKeyEntry {
  readonly name: string;
  /** SHA-256 of its text. */
  readonly digest: Buffer;
  readonly scopes: readonly Scope[];
  readonly channels: readonly string[] | undefined;
}

export interface ApiKeyChange {
  readonly name: string;
  readonly gone: boolean;
}

/** Begins the names of keys that have no name of their own: `env-1` is the first of TRUNKLINE_API_KEYS. */
export const UNNAMED = 'env-';

export class ApiKeys {
  /** Uses by name, of keys that are known. */
  readonly uses = new Map<string, number>();
  /** Told the keys that are gone, and those that have other rights or another text. */
  onChange: (changes: readonly ApiKeyChange[]) => void = () => {};
  /**
   * Digests are looked up by a second digest with a secret of this process: what the time of a look-up tells of it is worth nothing, and it
   * is the same for one key and for a thousand.
   */
  private readonly blinding = randomBytes(32);
  private readonly own: readonly ApiKeyEntry[];
  private entries: readonly ApiKeyEntry[] = [];
  private byBlind = new Map<string, { readonly digest: Buffer; readonly key: ApiKey }>();
  private byTags = new Map<string, ApiKey>();

  /** `texts`: keys with all rights. Throws when two entries have the same text. */
  constructor(texts: readonly string[], entries: readonly ApiKeyEntry[] = []) {
    this.own = [...new Set(texts)].map((text, at) => ({
      name: `${UNNAMED}${at + 1}`,
      digest: digestOf(text),
      scopes: SCOPES,
      channels: undefined,
    }));
    this.take(entries);
  }

  /** Undefined: it is no key. */
  find(text: string): ApiKey | undefined {
    if (this.byBlind.size === 0) return undefined;
    const digest = digestOf(text);
    const found = this.byBlind.get(this.blind(digest));
    if (found === undefined || !timingSafeEqual(found.digest, digest)) return undefined;
    const { key } = found;
    this.uses.set(key.name, (this.uses.get(key.name) ?? 0) + 1);
    return key;
  }

  byTag(tag: string): ApiKey | undefined {
    return this.byTags.get(tag);
  }

  /** In the place of all entries so far; the texts given at the start stay. Throws, and changes nothing, when two have the same text. */
  replace(entries: readonly ApiKeyEntry[]): void {
    const before = this.entries;
    this.take(entries);
    const after = new Map(entries.map((entry) => [entry.name, fingerprint(entry)]));
    const changed = before.filter((entry) => after.get(entry.name) !== fingerprint(entry));
    if (changed.length > 0) this.onChange(changed.map(({ name }) => ({ name, gone: !after.has(name) })));
  }

  private take(entries: readonly ApiKeyEntry[]): void {
    const byBlind: typeof this.byBlind = new Map();
    const byTags: typeof this.byTags = new Map();
    const all = [...this.own, ...entries];
    for (const entry of all) {
      const key = keyOf(entry);
      const blind = this.blind(entry.digest);
      const twin = byBlind.get(blind);
      if (twin !== undefined) throw new Error(`"${key.name}" has the same text as "${twin.key.name}"`);
      byBlind.set(blind, { digest: entry.digest, key });
      byTags.set(key.tag, key);
    }
    this.entries = entries;
    this.byBlind = byBlind;
    this.byTags = byTags;
    const names = new Set(all.map(({ name }) => name));
    for (const name of this.uses.keys()) if (!names.has(name)) this.uses.delete(name);
    for (const name of names) if (!this.uses.has(name)) this.uses.set(name, 0);
  }

  private blind(digest: Buffer): string {
    return hash('sha256', Buffer.concat([this.blinding, digest]), 'base64');
  }
}

export function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function keyOf({ name, digest, scopes, channels }: ApiKeyEntry): ApiKey {
  return {
    name,
    scopes: new Set(scopes),
    channels: channels?.map(parseChannelPattern),
    tag: hash('sha256', digest, 'base64url'),
  };
}

function fingerprint({ digest, scopes, channels }: ApiKeyEntry): string {
  return JSON.stringify([digest.toString('hex'), scopes.toSorted(), channels?.toSorted()]);
}
