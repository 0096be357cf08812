// Server-sent events as a transport: one stream for all channels, opened anew when they change. What it shares with polling is
// in rest.ts; it knows no listener and no state of the connection.

import { problemOf, type Problem, type RestOptions } from './rest-calls.js';
import { RestTransport, type Entered, type Lines, type Told } from './rest.js';
import { sseParser } from './sse-parser.js';
import type { OpenTransport } from './transport.js';

interface Ready {
  readonly session: string;
  readonly heartbeatMs: number;
  readonly channels: readonly Entered[];
}

export function sseTransport(options: RestOptions): OpenTransport {
  return (token, events, wanted) => new SseTransport({ options, token, events, wanted });
}

class SseTransport extends RestTransport {
  /** The stream that is heard; it goes on while the next one opens. */
  #stream: AbortController | undefined;
  #openedAt = 0;
  #seenAt = 0;
  #heartbeatMs = 0;

  override close(): void {
    super.close();
    this.#stream?.abort();
  }

  protected override enter(asked: Lines): Promise<Problem | undefined> {
    const query = new URLSearchParams();
    for (const [channel, { presence }] of asked) {
      query.append('channel', channel);
      if (presence) query.append('presence', channel);
    }
    if (!query.has('presence')) query.append('presence', 'false');
    const abort = new AbortController();
    const read = async (response: Response): Promise<Problem | undefined> => {
      const { body, headers, status } = response;
      if (status !== 200) return problemOf(response);
      // A page that something on the way made up.
      if (!body || !headers.get('content-type')?.startsWith('text/event-stream'))
        throw new Error('no event stream');
      return new Promise<undefined>((resolve) => {
        void this.#read(body, abort, (ready) => {
          this.#ready(ready, asked, abort);
          resolve(undefined);
        });
      });
    };
    const headers = { 'last-event-id': this.cursor(this.places()) };
    return this.call(`sse?${query}`, read, { abort, headers });
  }

  protected override rest(): void {
    this.#stream?.abort();
    this.#stream = undefined;
    this.session = '';
    this.ready(new Map(), {});
  }

  /** A comment is due after each heartbeat. Asked before that, the network may be another: a new stream is the proof. */
  protected override alive(): boolean | undefined {
    const now = this.options.clock.now();
    if (!this.#stream) return true;
    if (now - this.#seenAt >= this.#heartbeatMs) return false;
    return now - this.#openedAt < this.#heartbeatMs || undefined;
  }

  async #read(
    body: ReadableStream<Uint8Array>,
    abort: AbortController,
    ready: (data: Ready) => void,
  ): Promise<void> {
    try {
      const feed = sseParser(({ event, data }) => {
        if (abort.signal.aborted) return;
        if (this.#stream === abort) this.event(event, JSON.parse(data) as Told);
        else if (event === 'ready') ready(JSON.parse(data) as Ready);
      });
      const reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new Error('the stream has ended');
        if (this.#stream === abort) this.#seen();
        feed(value);
      }
    } catch (error) {
      if (!abort.signal.aborted) this.fail(error);
    }
  }

  #ready({ channels, ...welcome }: Ready, asked: Lines, abort: AbortController): void {
    this.#stream?.abort();
    this.#stream = abort;
    this.session = welcome.session;
    this.#heartbeatMs = welcome.heartbeatMs;
    this.#seen();
    this.#openedAt = this.#seenAt;
    this.ready(asked, welcome, channels);
  }

  #seen(): void {
    this.#seenAt = this.options.clock.now();
    this.reply();
  }
}
