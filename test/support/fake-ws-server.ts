// A server that does only what a test tells it, frame by frame, to try the client against. It knows no rule of the real one.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

/** Longest wait for one event, in ms. On loopback it takes about 1 ms; the rest is for a busy machine. */
const STEP_LIMIT_MS = 5000;

export interface ReceivedFrame {
  readonly event: string;
  readonly id: string | number;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface PeerClosed {
  readonly code: number;
  readonly reason: string;
}

/** Keeps what came before somebody asked for it. */
class Inbox<T> {
  private readonly items: T[] = [];
  private readonly waiters: ((item: T) => void)[] = [];

  get size(): number {
    return this.items.length;
  }

  put(item: T): void {
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.items.push(item);
    else waiter(item);
  }

  take(what: string): Promise<T> {
    const [item] = this.items.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`No ${what} within ${STEP_LIMIT_MS} ms.`)),
        STEP_LIMIT_MS,
      );
      this.waiters.push((late) => {
        clearTimeout(timer);
        resolve(late);
      });
    });
  }
}

/** One connection of the client, from the server's side. */
export class FakePeer {
  private readonly frames = new Inbox<ReceivedFrame>();
  private readonly ends = new Inbox<PeerClosed>();

  constructor(
    private readonly socket: WebSocket,
    /** What the handshake carried. */
    readonly request: IncomingMessage,
  ) {
    // `ws` types the payload of a text frame as one of its buffer types; the default is one Buffer.
    socket.on('message', (data) => this.frames.put(JSON.parse((data as Buffer).toString()) as ReceivedFrame));
    socket.on('close', (code, reason) => this.ends.put({ code, reason: reason.toString() }));
    socket.on('error', () => {});
  }

  /** Frames that came and were not taken. */
  get unread(): number {
    return this.frames.size;
  }

  /** The subprotocols the client offered. */
  get offered(): readonly string[] {
    return (this.request.headers['sec-websocket-protocol'] ?? '').split(',').map((entry) => entry.trim());
  }

  welcome(data: { heartbeatMs?: number; user?: string; session?: string } = {}): void {
    this.push('welcome', { session: 's1', user: 'ana', heartbeatMs: 25_000, version: 1, ...data });
  }

  /** The next frame; an error when it is of another event. */
  async next(event: string): Promise<ReceivedFrame> {
    const frame = await this.frames.take(`frame ${event}`);
    if (frame.event !== event) throw new Error(`Expected a frame ${event}, got ${JSON.stringify(frame)}.`);
    return frame;
  }

  push(event: string, data: object): void {
    this.sendText(JSON.stringify({ event, data }));
  }

  ok(frame: ReceivedFrame, data: object): void {
    this.sendText(JSON.stringify({ event: 'ok', id: frame.id, data }));
  }

  error(
    frame: ReceivedFrame,
    data: { code: string; message?: string; retry?: boolean; retryAfterMs?: number },
  ): void {
    this.sendText(
      JSON.stringify({ event: 'error', id: frame.id, data: { message: data.code, retry: false, ...data } }),
    );
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  close(code: number, reason = ''): void {
    this.socket.close(code, reason);
  }

  /** Ends without a close frame: the client sees 1006. */
  cut(): void {
    this.socket.terminate();
  }

  closed(): Promise<PeerClosed> {
    return this.ends.take('close');
  }
}

export class FakeWsServer {
  private readonly peers = new Inbox<FakePeer>();
  private readonly refusals: number[] = [];
  private readonly refused = new Inbox<number>();

  private constructor(
    private readonly http: Server,
    private readonly sockets: WebSocketServer,
  ) {
    http.on('upgrade', (request, duplex, head) => {
      const status = this.refusals.shift();
      if (status !== undefined) {
        duplex.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        this.refused.put(status);
        return;
      }
      sockets.handleUpgrade(request, duplex, head, (socket) => this.peers.put(new FakePeer(socket, request)));
    });
  }

  static async start(): Promise<FakeWsServer> {
    const http = createServer();
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'trunkline.v1' });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new FakeWsServer(http, sockets);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  /** Connections that nobody has taken by `peer()`. */
  get waiting(): number {
    return this.peers.size;
  }

  /** The next connection. */
  peer(): Promise<FakePeer> {
    return this.peers.take('connection');
  }

  /** Answers the next handshakes with these HTTP statuses. */
  refuse(...statuses: readonly number[]): void {
    this.refusals.push(...statuses);
  }

  /** Resolves when a handshake has been refused. */
  nextRefusal(): Promise<number> {
    return this.refused.take('refused handshake');
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.http.close();
    await once(this.http, 'close');
  }
}
