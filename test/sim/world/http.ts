// HTTP without a socket: the `fetch` of a client, and at the server's end the request and answer that controllers take. Knows no path.

import type { Connection } from './network.js';
import { Outflow } from './outflow.js';
import type { Tap } from './web-socket.js';

export interface SimRequest {
  readonly method: string;
  /** Without the leading slash and the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The client's end of one request. */
export class Exchange {
  connection: Connection | undefined;
  response: SimResponse | undefined;
  tap: Tap | undefined;
  private readonly chunks: Uint8Array[] = [];
  private ending: Error | 'done' | undefined;
  private wake: (() => void) | undefined;
  private answered = false;

  constructor(
    private readonly resolve: (response: Response) => void,
    private readonly reject: (error: unknown) => void,
    /** False once the page is gone, and with it everybody who waits. */
    private readonly wanted: () => boolean,
  ) {}

  head(status: number, headers: ReadonlyMap<string, string>): void {
    if (this.ending !== undefined || !this.wanted()) return;
    this.answered = true;
    this.resolve({
      status,
      ok: status >= 200 && status < 300,
      headers: { get: (name: string) => headers.get(name.toLowerCase()) ?? null },
      body: { getReader: () => ({ read: () => this.read() }) },
      json: async () => JSON.parse(await this.text()) as unknown,
    } as unknown as Response);
  }

  chunk(bytes: Uint8Array): void {
    if (this.ending !== undefined || !this.wanted()) return;
    this.chunks.push(bytes);
    this.stir();
  }

  /** The connection is over: the answer is whole, or it broke. */
  finish(how: 'done' | Error): void {
    if (this.ending !== undefined || !this.wanted()) return;
    this.ending = how;
    this.tap?.ended();
    if (!this.answered) this.reject(how === 'done' ? new TypeError('fetch failed') : how);
    this.stir();
  }

  abort(reason: unknown): void {
    if (this.ending === 'done') return;
    const { connection } = this;
    this.finish(reason as Error);
    connection?.drop('client', false);
  }

  private async read(): Promise<{ done: boolean; value?: Uint8Array }> {
    for (;;) {
      const value = this.chunks.shift();
      if (value !== undefined) return { done: false, value };
      if (this.ending === 'done') return { done: true };
      if (this.ending !== undefined) throw this.ending;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private async text(): Promise<string> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const { done, value } = await this.read();
      if (value !== undefined) parts.push(value);
      if (done) return Buffer.concat(parts).toString('utf8');
    }
  }

  private stir(): void {
    this.wake?.();
    this.wake = undefined;
  }
}

/** `send` opens the connection, later; `wanted` is false once the page is gone. */
export function fetchOf(
  send: (request: SimRequest, exchange: Exchange) => void,
  wanted: () => boolean,
): typeof fetch {
  const run = (url: string, init: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { signal } = init;
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const { pathname, searchParams } = new URL(url);
      const query: Record<string, string | string[]> = {};
      for (const name of new Set(searchParams.keys())) {
        const [first = '', ...more] = searchParams.getAll(name);
        query[name] = more.length === 0 ? first : [first, ...more];
      }
      const exchange = new Exchange(resolve, reject, wanted);
      signal?.addEventListener('abort', () => exchange.abort(signal.reason), { once: true });
      const body = typeof init.body === 'string' ? init.body : '';
      const headers = init.headers as Record<string, string>;
      send({ method: init.method ?? 'GET', path: pathname.slice(1), query, headers, body }, exchange);
    });
  return run as typeof fetch;
}

type Listener = (value?: unknown) => void;

/** What is used of an emitter of Node. */
class Listeners {
  private readonly all = new Map<string, Listener[]>();

  once(event: string, listener: Listener): this {
    this.all.set(event, [...(this.all.get(event) ?? []), listener]);
    return this;
  }

  emit(event: string): void {
    const listeners = this.all.get(event) ?? [];
    this.all.delete(event);
    for (const listener of listeners) listener();
  }
}

class SimSocket extends Listeners {
  destroyed = false;
  private readonly out: Outflow;

  constructor(
    private readonly connection: Connection,
    private readonly exchange: Exchange,
  ) {
    super();
    this.out = new Outflow(connection.toClient, () => this.emit('drain'));
  }

  get writable(): boolean {
    return !this.destroyed;
  }

  get writableLength(): number {
    return this.out.waiting;
  }

  get writableNeedDrain(): boolean {
    return this.out.full;
  }

  /** Silence is judged by heartbeats here, as on a stream. */
  setTimeout(): this {
    return this;
  }

  write(data: string | Uint8Array): boolean {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const { exchange } = this;
    return this.out.write([{ size: bytes.length, deliver: () => exchange.chunk(bytes) }]);
  }

  destroy(): void {
    this.connection.drop('server', false);
    this.gone();
  }

  gone(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

/** What is used of the answer of Express. */
export class SimResponse extends Listeners {
  statusCode = 200;
  headersSent = false;
  destroyed = false;
  useChunkedEncodingByDefault = true;
  shouldKeepAlive = true;
  readonly socket: SimSocket;
  readonly req: { socket: SimSocket; rawHeaders: string[]; headers: Readonly<Record<string, string>> };
  private readonly headers = new Map<string, string>();

  constructor(
    private readonly connection: Connection,
    private readonly exchange: Exchange,
    request: SimRequest,
  ) {
    super();
    this.socket = new SimSocket(connection, exchange);
    this.req = { socket: this.socket, rawHeaders: [], headers: request.headers };
  }

  status(code: number): this {
    this.statusCode = code;
    return this;
  }

  setHeader(name: string, value: string): this {
    this.headers.set(name.toLowerCase(), value);
    return this;
  }

  appendHeader(name: string, value: string): this {
    return this.setHeader(name, value);
  }

  writeHead(status: number): this {
    this.statusCode = status;
    this.headersSent = true;
    const { exchange, headers } = this;
    this.connection.toClient.send(() => exchange.head(status, headers));
    return this;
  }

  write(data: string | Uint8Array): boolean {
    if (!this.headersSent) this.writeHead(this.statusCode);
    return this.socket.write(data);
  }

  end(data = ''): this {
    if (this.destroyed) return this;
    if (!this.headersSent) this.writeHead(this.statusCode);
    if (data !== '') this.socket.write(data);
    const { connection, exchange } = this;
    connection.toClient.end(() => {
      connection.finish();
      exchange.finish('done');
    });
    this.gone();
    return this;
  }

  destroy(): void {
    this.connection.drop('server', false);
    this.gone();
  }

  /** The connection is over, whoever ended it. */
  gone(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.socket.gone();
    this.emit('close');
  }
}
