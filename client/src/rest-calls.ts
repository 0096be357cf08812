// Requests of one session, and what their answers mean. Knows paths, statuses and time limits, no channel and no message.

import type { TrunklineErrorCode } from './errors.js';
import type { Cancel, Clock, Random } from './time.js';
import type { TransportEvents, Wanted } from './transport.js';

export interface RestOptions {
  /** What the paths are added to; ends in a slash. */
  readonly base: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A spread wait in milliseconds before what was asked in vain is asked again. */
  readonly spacingMs: () => number;
  /** Milliseconds for the answer to one request. */
  readonly timeoutMs: number;
  readonly fetch: typeof fetch | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** What a request transport is opened with. */
export interface RestStart {
  readonly options: RestOptions;
  readonly token: string | undefined;
  readonly events: TransportEvents;
  readonly wanted: () => readonly Wanted[];
}

/** Why a request was refused: the body of problem+json, or the best that a bare status tells. */
export interface Problem {
  readonly status: number;
  readonly code: TrunklineErrorCode;
  readonly message: string;
  readonly retry: boolean;
  readonly retryAfterMs: number | undefined;
  /** The channel that was refused, when it is about one. */
  readonly channel?: string;
  /** It was the server that spoke, not something on the way. */
  readonly ours: boolean;
}

export interface CallOptions extends Omit<RequestInit, 'headers'> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request and its body. */
  readonly abort?: AbortController;
  /** Milliseconds the server may take beyond the usual. */
  readonly waitMs?: number;
}

export abstract class RestCalls {
  protected readonly options: RestOptions;
  protected readonly events: TransportEvents;
  protected token: string | undefined;
  protected over = false;
  /** What ends the requests and timers that run. */
  readonly #ends = new Set<Cancel>();

  constructor({ options, events, token }: RestStart) {
    this.options = options;
    this.events = events;
    this.token = token;
  }

  close(): void {
    this.over = true;
    for (const end of this.#ends) end();
  }

  protected end(code: number, reason: string, retryAfterMs?: number): void {
    if (this.over) return;
    this.close();
    this.events.end(code, reason, retryAfterMs);
  }

  /** Whatever a request fails of that is no answer: the other side may be gone, a new session finds out. */
  protected fail(error: unknown): void {
    this.end(1006, (error as Error).message);
  }

  /** The end that a refusal of the whole session means. */
  protected stop({ status, ours, message, retryAfterMs }: Problem): void {
    const known = { 401: this.token === undefined ? 4001 : 4200, 403: 1008 }[status];
    const code = known ?? (status === 429 || status >= 500 ? 1013 : 1006);
    this.end(status === 204 ? 1000 : ours ? code : 1006, message, retryAfterMs);
  }

  /** A timer that ends with the session. */
  protected pause(ms: number, run: () => void): Cancel {
    const cancel = (): void => {
      this.#ends.delete(cancel);
      stop();
    };
    const stop = this.options.clock.after(ms, () => {
      cancel();
      run();
    });
    this.#ends.add(cancel);
    if (this.over) cancel();
    return cancel;
  }

  /** What `read` makes of the answer. Rejects when that takes too long. */
  protected async call<T>(
    path: string,
    read: (response: Response) => T | Promise<T>,
    { abort = new AbortController(), waitMs = 0, ...init }: CallOptions = {},
  ): Promise<T> {
    const { base, timeoutMs, headers, fetch: send = fetch } = this.options;
    const { token } = this;
    const end = (): void => abort.abort(new Error('no answer in time'));
    const cancel = this.pause(timeoutMs + waitMs, end);
    this.#ends.add(end);
    try {
      const response = await send(base + path, {
        cache: 'no-store',
        credentials: token === undefined ? 'include' : 'same-origin',
        ...init,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
          ...init.headers,
        },
        signal: abort.signal,
      });
      return await read(response);
    } finally {
      cancel();
      this.#ends.delete(end);
    }
  }
}

/** Never rejects: a proxy's page is a problem too. */
export async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  const body = (await response.json().catch(() => ({}))) as Partial<Problem> & { readonly detail?: string };
  const code = body.code ?? PLAIN[status] ?? (status < 500 ? 'invalid_data' : 'unknown_outcome');
  return {
    ...body,
    status,
    code,
    message: body.detail ?? `HTTP ${status}`,
    retry: body.retry ?? (status === 429 || status >= 500),
    retryAfterMs: body.retryAfterMs ?? (Number(response.headers.get('retry-after')) * 1000 || undefined),
    ours: body.code !== undefined,
  };
}

/** For refusals by something on the way. */
const PLAIN: Readonly<Record<number, TrunklineErrorCode>> = {
  403: 'forbidden',
  413: 'too_large',
  429: 'rate_limited',
  503: 'unavailable',
};
