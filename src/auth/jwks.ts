// The keys of one issuer at one fixed address: fetched in the background, kept while the provider is away, never asked for more often than we choose. Knows no token.

import { TrunklineError } from '../core/errors.js';
import type { CoreLogger } from '../core/ports/application.js';
import type { Cancel, Clock } from '../core/ports/time.js';
import type { AuthStats } from './auth.stats.js';
import { fetchJson } from './jwks-fetch.js';
import type { Algorithm } from './auth.options.js';
import { KeySet, keysOf, type KeySource, type VerificationKey } from './verification-keys.js';

export interface JwksOptions {
  readonly url: string;
  readonly algorithms: readonly Algorithm[];
  /** Milliseconds between two fetches in the background. */
  readonly refreshMs: number;
  /** Milliseconds for which keys are trusted that could not be fetched anew. */
  readonly staleMs: number;
  /** Milliseconds between fetches that unknown key ids may cause. */
  readonly cooldownMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface JwksContext {
  readonly clock: Clock;
  readonly logger: CoreLogger;
  readonly stats: AuthStats;
  /** 0 ≤ x < 1. */
  readonly fraction?: () => number;
}

/** The first pause after a failure; each one doubles it. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
/** Milliseconds for which a key id that the provider did not know causes no fetch again. */
const UNKNOWN_MS = 300_000;
/** At 256 characters each about 1 MB of memory at most. */
const MAX_UNKNOWN = 1000;

/** One object per issuer and address, so a key of another provider can never be found by its id (the fault of caches by `kid` alone). */
export class JwksKeys implements KeySource {
  private set: KeySet | undefined;
  /** Milliseconds since 1970 at which the last good answer was asked for. */
  private freshAt = 0;
  private askedAt = Number.NEGATIVE_INFINITY;
  private failures = 0;
  private retryAt = 0;
  private fetching: Promise<void> | undefined;
  private next: Cancel | undefined;
  private readonly stopping = new AbortController();
  /** Key id → milliseconds since 1970 until which it causes no fetch; oldest first. */
  private readonly unknown = new Map<string, number>();

  constructor(
    private readonly options: JwksOptions,
    private readonly context: JwksContext,
  ) {}

  /** Does not wait: a server starts while its provider is away. */
  start(): void {
    void this.refresh();
  }

  stop(): void {
    this.next?.();
    this.stopping.abort();
  }

  async find(kid: string | undefined, alg: string): Promise<readonly VerificationKey[]> {
    const known = this.look(kid, alg);
    if (known !== undefined) return known;
    const asked = this.fetching !== undefined || this.mayAsk(kid);
    if (asked) await this.refresh();
    const found = this.look(kid, alg);
    if (found !== undefined) return found;
    // The provider cannot be asked just now, and might know the key: so this is no 401.
    if (this.failures > 0 || this.trusted() === undefined) throw this.unavailable();
    if (asked && kid !== undefined) this.remember(kid);
    return [];
  }

  /** Undefined: the provider may know more than we do. */
  private look(kid: string | undefined, alg: string): readonly VerificationKey[] | undefined {
    const set = this.trusted();
    const keys = set?.find(kid, alg) ?? [];
    const settled = set !== undefined && (kid === undefined || set.knows(kid));
    return keys.length > 0 || settled ? keys : undefined;
  }

  /** After a failure the pauses between attempts are ours: tokens cause none. */
  private mayAsk(kid: string | undefined): boolean {
    const now = this.context.clock.now();
    return (
      this.failures === 0 &&
      now - this.askedAt >= this.options.cooldownMs &&
      (kid === undefined || (this.unknown.get(kid) ?? 0) <= now) &&
      !this.stopping.signal.aborted
    );
  }

  private trusted(): KeySet | undefined {
    const age = this.context.clock.now() - this.freshAt;
    return age <= this.options.staleMs ? this.set : undefined;
  }

  /** Never rejects. All who ask meanwhile wait for the one fetch. */
  private refresh(): Promise<void> {
    this.fetching ??= this.load().finally(() => (this.fetching = undefined));
    return this.fetching;
  }

  private async load(): Promise<void> {
    const { clock, stats, logger } = this.context;
    const { url, algorithms, timeoutMs, maxBytes } = this.options;
    this.next?.();
    this.askedAt = clock.now();
    try {
      const answer = await fetchJson(url, { timeoutMs, maxBytes, signal: this.stopping.signal });
      this.set = new KeySet(keysOf(answer, algorithms));
      this.freshAt = this.askedAt;
      stats.keyFetches++;
      stats.keys = this.set.keys.length;
      if (this.failures > 0) logger.warn('The key set is there again.', { host: hostOf(url) });
      this.failures = 0;
      this.schedule(this.options.refreshMs);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.failed(error instanceof Error ? error.message : String(error));
    }
  }

  private failed(reason: string): void {
    const { stats, logger } = this.context;
    stats.keyFetchFailures++;
    const pause = Math.min(RETRY_MS * 2 ** Math.min(this.failures++, 10), MAX_RETRY_MS);
    const trusted = this.trusted();
    stats.keys = trusted?.keys.length ?? 0;
    logger.warn('The key set of TRUNKLINE_JWKS_URL cannot be fetched.', {
      host: hostOf(this.options.url),
      reason,
      failures: this.failures,
      keysInUse: stats.keys,
    });
    this.schedule(pause);
  }

  /** Instances that started together drift apart: up to a tenth earlier. */
  private schedule(ms: number): void {
    if (this.stopping.signal.aborted) return;
    const { clock, fraction = Math.random } = this.context;
    const pause = ms * (1 - fraction() / 10);
    this.retryAt = clock.now() + pause;
    this.next = clock.after(pause, () => void this.refresh());
  }

  private unavailable(): TrunklineError {
    const waitMs = Math.max(0, this.retryAt - this.context.clock.now());
    return new TrunklineError('unavailable', 'The credential cannot be checked just now.', {
      retryAfterMs: Math.max(RETRY_MS, Math.ceil(waitMs)),
    });
  }

  private remember(kid: string): void {
    const now = this.context.clock.now();
    this.unknown.delete(kid);
    this.unknown.set(kid, now + UNKNOWN_MS);
    for (const oldest of this.unknown.keys()) {
      if (this.unknown.size <= MAX_UNKNOWN) break;
      this.unknown.delete(oldest);
    }
  }
}

/** The rest of an address may hold what is nobody's business. */
function hostOf(url: string): string {
  return new URL(url).host;
}
