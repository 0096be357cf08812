// Web Locks as something to hold and to let go. A lock goes with its page, so it also tells that a page is gone.

import type { Off } from '../emitter.js';

export interface LockEvents {
  granted(): void;
  /** Taken away by another page after it was granted. */
  stolen?(): void;
}

/** Returns the function that lets it go, or gives up waiting for it. */
export function holdLock(name: string, events: LockEvents, steal = false): Off {
  const wait = new AbortController();
  let release: Off | undefined;
  let over = false;
  const hold = (): Promise<void> | undefined => {
    if (over) return undefined;
    return new Promise((resolve) => {
      release = resolve;
      events.granted();
    });
  };
  navigator.locks.request(name, steal ? { steal } : { signal: wait.signal }, hold).catch(() => {
    if (!over) events.stolen?.();
  });
  return () => {
    over = true;
    wait.abort();
    release?.();
  };
}

/** Runs once when nobody holds the lock any more. Returns the function that stops waiting. */
export function whenFree(name: string, run: () => void): Off {
  const stop = holdLock(name, {
    granted() {
      // The lock is not wanted, only the news.
      queueMicrotask(() => stop());
      run();
    },
  });
  return stop;
}
