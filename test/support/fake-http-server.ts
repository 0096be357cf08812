// An HTTP server that does only what a test tells it, request by request, to try the client's request transports against. It knows
// no rule of the real one.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Longest wait for one request, in ms. On loopback it takes about 1 ms; the rest is for a busy machine. */
const STEP_LIMIT_MS = 5000;

export interface ReadyOptions {
  readonly session?: string;
  readonly user?: string;
  readonly heartbeatMs?: number;
  readonly channels?: readonly object[];
}

/** One request of the client, and the answer to it. */
export class FakeCall {
  readonly path: string;
  readonly query: URLSearchParams;
  closed = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    /** Parsed JSON of the body; undefined when there is none. */
    readonly body: unknown,
  ) {
    const url = new URL(request.url ?? '/', 'http://localhost');
    this.path = url.pathname;
    this.query = url.searchParams;
    response.on('close', () => (this.closed = true));
    response.on('error', () => {});
  }

  get channels(): readonly string[] {
    return this.query.getAll('channel');
  }

  json(body: object, status = 200, headers: Record<string, string> = {}): void {
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    this.response.writeHead(status, { 'content-type': type, ...headers }).end(JSON.stringify(body));
  }

  problem(status: number, code: string, more: object = {}, headers: Record<string, string> = {}): void {
    this.json({ type: 'about:blank', status, code, detail: code, retry: false, ...more }, status, headers);
  }

  /** What something on the way answers, which knows no code. */
  plain(status: number, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, headers).end(status === 204 ? undefined : '<html>no</html>');
  }

  /** Begins an event stream with its `ready`. */
  ready({ channels = [], ...more }: ReadyOptions = {}): this {
    this.response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    this.event('ready', { session: 's1', user: 'ana', heartbeatMs: 15_000, version: 1, ...more, channels });
    return this;
  }

  event(event: string, data: object): void {
    this.response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  comment(): void {
    this.response.write(':\n\n');
  }

  end(): void {
    this.response.end();
  }

  /** The client sees a connection that breaks. */
  cut(): void {
    this.request.socket.destroy();
  }
}

export class FakeHttpServer {
  private readonly calls: FakeCall[] = [];
  private readonly waiters: ((call: FakeCall) => void)[] = [];
  /** Every request so far, taken or not. */
  total = 0;

  private constructor(private readonly http: Server) {
    http.on('request', (request, response) => void this.take(request, response));
  }

  static async start(): Promise<FakeHttpServer> {
    const http = createServer();
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new FakeHttpServer(http);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  /** Requests that nobody has taken. */
  get waiting(): number {
    return this.calls.length;
  }

  /** The next request; an error when it is for another path. */
  async next(path: string): Promise<FakeCall> {
    const call = this.calls.shift() ?? (await this.arrival(path));
    if (call.path !== path) throw new Error(`Expected a request for ${path}, got ${call.request.url ?? ''}.`);
    return call;
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, 'close');
  }

  private arrival(path: string): Promise<FakeCall> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`No request for ${path} within ${STEP_LIMIT_MS} ms.`)),
        STEP_LIMIT_MS,
      );
      this.waiters.push((call) => {
        clearTimeout(timer);
        resolve(call);
      });
    });
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    try {
      for await (const piece of request) text += String(piece);
    } catch {
      // The client went away in the middle of its body.
      return;
    }
    this.total++;
    const call = new FakeCall(request, response, text === '' ? undefined : JSON.parse(text));
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.calls.push(call);
    else waiter(call);
  }
}
