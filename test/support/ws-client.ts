// A WebSocket client for tests that keeps every frame from the first moment on. It knows the protocol's shapes and no rule of the server.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { WebSocket, type ClientOptions } from 'ws';

/** Longest wait for one event, in ms. On loopback it takes about 1 ms; the rest is for a busy machine. */
const STEP_LIMIT_MS = 8000;

/** A publication as a push or a reply carries it. A field that did not come reads as undefined, and the test fails on it. */
export interface Message {
  readonly channel: string;
  readonly offset: number;
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
  readonly from?: { readonly user: string; readonly name?: string };
  readonly time: number;
  readonly key?: string;
}

export interface MemberView {
  readonly user: string;
  readonly name?: string;
  readonly connections: number;
  readonly since: number;
}

/** All fields that frames of the protocol have, so that a test can read them by name. */
export interface FrameData extends Readonly<Record<string, unknown>> {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly messages: readonly Message[];
  readonly members: readonly MemberView[];
  readonly member: MemberView;
  readonly session: string;
  readonly event: string;
  readonly data: unknown;
  readonly from: unknown;
}

export interface Frame {
  readonly event: string;
  readonly id?: string | number;
  readonly data: FrameData;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface ConnectOptions {
  /** Sent as `Authorization: Bearer`; a stranger when left out. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  readonly ws?: ClientOptions;
  /** Hears each text frame instead of the queue; for tests with more frames than should be kept. */
  readonly onText?: (text: Buffer) => void;
}

/** The server answered the upgrade with HTTP. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly headers: IncomingHttpHeaders,
    readonly body: string,
  ) {
    super(`The upgrade was refused with ${status}: ${body}`);
    this.name = 'Refused';
  }

  get code(): unknown {
    return (JSON.parse(this.body) as { code?: unknown }).code;
  }
}

/** Every client that was opened and not yet disposed, so that no test leaves one behind. */
const open = new Set<WsClient>();

export function disposeClients(): void {
  for (const client of [...open]) client.cut();
}

/** Connects and waits for the 101; rejects with `Refused` for any other answer. `welcome` stays in the queue. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<WsClient> {
  const { token, headers, protocols = ['trunkline.v1'] } = options;
  const socket = new WebSocket(url, [...protocols], {
    ...options.ws,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
  });
  const client = new WsClient(socket, options.onText);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) => void refusal(response).then(reject, reject));
    socket.on('error', reject);
  });
  return client;
}

/** The refusal of an upgrade; an error when it was accepted. */
export async function refused(url: string, options: ConnectOptions = {}): Promise<Refused> {
  try {
    await connect(url, options);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('The upgrade was accepted.');
}

async function refusal(response: IncomingMessage): Promise<Refused> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string;
  return new Refused(response.statusCode ?? 0, response.headers, body);
}

type Filter = (frame: Frame) => boolean;

interface Waiter {
  readonly matches: Filter;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

export class WsClient {
  /** All frames in the order they came, taken or not. */
  readonly frames: Frame[] = [];
  readonly closed: Promise<Closed>;
  /** Pings of the server so far. */
  pings = 0;
  private readonly unread: Frame[] = [];
  private readonly waiters = new Set<Waiter>();
  private end: Closed | undefined;
  private lastId = 0;

  constructor(
    readonly socket: WebSocket,
    onText?: (text: Buffer) => void,
  ) {
    open.add(this);
    // `ws` hands a text message over as one Buffer.
    socket.on('message', (data) =>
      onText === undefined ? this.receive(data as Buffer) : onText(data as Buffer),
    );
    socket.on('ping', () => this.pings++);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        open.delete(this);
        this.end = { code, reason: reason.toString() };
        resolve(this.end);
        for (const waiter of [...this.waiters])
          waiter.reject(new Error(`Closed ${code} ${this.end.reason}.`));
      });
    });
  }

  get isOpen(): boolean {
    return this.end === undefined;
  }

  /** Sends a request with the next free id and resolves with its reply, `ok` or `error`. */
  async request(event: string, data: object = {}, limitMs?: number): Promise<Frame> {
    const id = ++this.lastId;
    this.send({ event, id, data });
    return this.take(`the reply to ${event}`, (frame) => frame.id === id, limitMs);
  }

  /** As `request`, and the reply must be `ok`. */
  async ok(event: string, data: object = {}): Promise<FrameData> {
    const reply = await this.request(event, data);
    if (reply.event !== 'ok') throw new Error(`${event} was refused: ${JSON.stringify(reply.data)}`);
    return reply.data;
  }

  subscribe(channel: string, more: object = {}): Promise<FrameData> {
    return this.ok('subscribe', { channel, ...more });
  }

  publish(channel: string, data: unknown, more: object = {}): Promise<FrameData> {
    return this.ok('publish', { channel, event: 'tick', data, ...more });
  }

  /** The code of the error reply; an error when the reply is `ok`. */
  async refusal(event: string, data: object = {}): Promise<string> {
    const reply = await this.request(event, data);
    if (reply.event !== 'error') throw new Error(`${event} was not refused: ${JSON.stringify(reply.data)}`);
    return reply.data.code;
  }

  /** The oldest frame of this event that nobody took yet; waits for it. */
  next(event: string, filter: Filter = () => true, limitMs?: number): Promise<Frame> {
    return this.take(`a frame ${event}`, (frame) => frame.event === event && filter(frame), limitMs);
  }

  /** Resolves when everything the server sent up to now has arrived. */
  async settled(): Promise<void> {
    await this.ok('ping');
  }

  /** Frames of this event nobody took yet, after everything the server sent up to now has arrived. */
  async pending(event: string, filter: Filter = () => true): Promise<readonly Frame[]> {
    await this.settled();
    return this.unread.filter((frame) => frame.event === event && filter(frame));
  }

  /** Throws when such a frame has come, or was on its way. */
  async expectNone(event: string, filter?: Filter): Promise<void> {
    const found = await this.pending(event, filter);
    if (found.length > 0) throw new Error(`${found.length} × ${event} came: ${JSON.stringify(found[0])}`);
  }

  /** Takes all frames that came and were not taken. */
  forget(): void {
    this.unread.length = 0;
  }

  send(frame: unknown): void {
    this.sendText(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  /** Stops reading from TCP: the server's frames stay in the kernels. */
  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  close(code = 1000): Promise<Closed> {
    this.socket.close(code);
    return this.closed;
  }

  /** Ends TCP without a close frame. */
  cut(): void {
    this.socket.terminate();
  }

  private take(what: string, matches: Filter, limitMs = STEP_LIMIT_MS): Promise<Frame> {
    const at = this.unread.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.unread.splice(at, 1)[0] as Frame);
    if (this.end !== undefined)
      return Promise.reject(new Error(`Closed ${this.end.code}; ${what} did not come.`));
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
      };
      const timer = setTimeout(() => waiter.reject(new Error(`Nothing within ${limitMs} ms`)), limitMs);
      const waiter: Waiter = {
        matches,
        resolve: (frame) => (done(), resolve(frame)),
        reject: (error) => (
          done(),
          reject(new Error(`${error.message} while waiting for ${what}. ${this.story()}`))
        ),
      };
      this.waiters.add(waiter);
    });
  }

  private receive(text: Buffer): void {
    const frame = JSON.parse(text.toString('utf8')) as Frame;
    this.frames.push(frame);
    for (const waiter of this.waiters) {
      if (!waiter.matches(frame)) continue;
      waiter.resolve(frame);
      return;
    }
    this.unread.push(frame);
  }

  private story(): string {
    const last = this.unread.slice(-5).map((frame) => JSON.stringify(frame).slice(0, 200));
    return `Unread: ${this.unread.length}, the last of them ${last.join(' ')}`;
  }
}
