// A caller of the poll by plain fetch: one answer at a time, the cursor kept between them. It knows the answer's shape and no rule of the server.

import type { Message } from './ws-client.js';

export interface PolledMessage extends Message {
  readonly type: string;
}

export interface PolledGap {
  readonly channel: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly reason: string;
}

export interface PollBody {
  readonly messages: readonly PolledMessage[];
  readonly cursor: string;
  readonly gaps?: readonly PolledGap[];
}

export interface PollAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Throws when the status is not 200. */
  readonly body: PollBody;
  /** Of an error answer: the body of its problem. */
  readonly problem: Readonly<Record<string, unknown>>;
}

export interface PollOptions {
  /** Seconds; the server's default when left out. A string goes out as it is. */
  readonly wait?: number | string | undefined;
  readonly cursor?: string | undefined;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly method?: string;
  readonly path?: string;
}

export function pollUrl(base: string, channels: readonly string[], options: PollOptions = {}): URL {
  const url = new URL(options.path ?? '/poll', base);
  for (const channel of channels) url.searchParams.append('channel', channel);
  if (options.cursor !== undefined) url.searchParams.set('cursor', options.cursor);
  if (options.wait !== undefined) url.searchParams.set('wait', String(options.wait));
  return url;
}

/** One poll. Rejects only when the connection failed or the signal fired. */
export async function poll(
  base: string,
  channels: readonly string[],
  options: PollOptions = {},
): Promise<PollAnswer> {
  const { token, headers, signal, method } = options;
  const response = await fetch(pollUrl(base, channels, options), {
    method: method ?? 'GET',
    redirect: 'manual',
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  const { status } = response;
  return {
    status,
    headers: response.headers,
    text,
    get body() {
      if (status !== 200) throw new Error(`The poll was answered ${status}: ${text}`);
      return JSON.parse(text) as PollBody;
    },
    get problem() {
      return JSON.parse(text) as Record<string, unknown>;
    },
  };
}

/** A reader that polls on from its own cursor. */
export class PollClient {
  cursor: string | undefined;
  etag: string | null = null;

  constructor(
    private readonly base: string,
    private readonly channels: readonly string[],
    private readonly options: PollOptions = {},
  ) {
    this.cursor = options.cursor;
  }

  /** The next answer; moves the cursor when it is a 200. */
  async next(options: PollOptions = {}): Promise<PollAnswer> {
    const answer = await this.peek(options);
    if (answer.status === 200) {
      this.cursor = answer.body.cursor;
      this.etag = answer.headers.get('etag');
    }
    return answer;
  }

  /** An answer that moves nothing, as one that is lost on its way. */
  peek(options: PollOptions = {}): Promise<PollAnswer> {
    return poll(this.base, this.channels, { ...this.options, cursor: this.cursor, ...options });
  }
}
