// What the platform tells beside the connection: online, offline, page visible again, and a place to keep one choice.
// Everything may be missing, as in Node, and nothing here throws.

import type { Cancel } from './time.js';

export interface EnvironmentEvents {
  online(): void;
  offline(): void;
  /** Seen again after being hidden, frozen or kept for the back button: timers may have stood still. */
  visible(): void;
}

/**
 * Only what happens is heard, not `navigator.onLine`: a machine without a network can still reach a server of its own.
 */
export interface Environment {
  /** Returns the function that takes every listener away. */
  watch(events: EnvironmentEvents): Cancel;
}

/** What is used of `localStorage`. */
export interface ChoiceStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

interface Target {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
}

interface Platform extends Target {
  readonly document?: Target & { readonly visibilityState?: string };
  readonly localStorage?: ChoiceStorage;
}

const platform = globalThis as Platform;

export const PLATFORM_ENVIRONMENT: Environment = {
  watch(events) {
    const page = platform.document;
    const seen = (): void => {
      if (page?.visibilityState !== 'hidden') events.visible();
    };
    const listeners: readonly [Target | undefined, string, () => void][] = [
      [platform, 'online', () => events.online()],
      [platform, 'offline', () => events.offline()],
      [platform, 'pageshow', seen],
      [page, 'visibilitychange', seen],
    ];
    for (const [target, type, listener] of listeners) target?.addEventListener?.(type, listener);
    return () => {
      for (const [target, type, listener] of listeners) target?.removeEventListener?.(type, listener);
    };
  },
};

/** Milliseconds a choice is kept: networks change, and each hour the best transport gets its first try again. */
const KEPT_MS = 3_600_000;

/**
 * The transport that worked last for this address; with `name`, keeps it. Storage may be missing, full or forbidden, and may
 * hold what others wrote: then there is no choice.
 */
export function lastChoice(
  url: string,
  storage: ChoiceStorage | undefined,
  name?: string,
): string | undefined {
  try {
    // Node has a `localStorage` of sorts, which warns when it is touched.
    const kept = storage ?? (platform.document && platform.localStorage);
    const key = `trunkline ${url}`;
    if (name !== undefined) kept?.setItem(key, `${Date.now()} ${name}`);
    const [at = '', last] = kept?.getItem(key)?.split(' ') ?? [];
    return Math.abs(Date.now() - Number(at)) < KEPT_MS ? last : undefined;
  } catch {
    return undefined;
  }
}
