// Time and chance as the client sees them, so that tests can give both. Knows no connection.

export type Cancel = () => void;

export interface Clock {
  /** Milliseconds from any fixed moment; must not jump. */
  now(): number;
  /** Runs once after `ms`. */
  after(ms: number, run: () => void): Cancel;
}

/** 0 ≤ x < 1. Spreads reconnects and makes idempotency keys, so it must not be guessable. */
export type Random = () => number;

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    // A longer time would be taken as none by the platforms.
    const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

// `getRandomValues` also exists on pages without TLS, where `randomUUID` does not.
export const SYSTEM_RANDOM: Random = () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;

/** Four times 32 bits in 28 letters: no collision to be feared within the five minutes a key is kept. */
export function randomKey(random: Random): string {
  const word = (): string => Math.floor(random() * 2 ** 32).toString(36);
  return Array.from({ length: 4 }, () => word().padStart(7, '0')).join('');
}
