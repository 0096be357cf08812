// A WebSocket client by hand over plain TCP: any request, any frame, any fault. It must know neither src/ nor a WebSocket library.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { startServer, type TestServer } from './server.js';

/** Longest wait of one step, in ms. Steps on loopback take about 1 ms; the rest is for a busy machine. */
const STEP_LIMIT_MS = 5000;

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode?: number;
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** Three bits: 4 is RSV1, 2 is RSV2, 1 is RSV3. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** Width of the length field; the smallest that fits when left out. */
  readonly lengthBits?: 7 | 16 | 64;
  /** The length the header claims; the true one when left out. */
  readonly claim?: bigint;
}

/** One frame as a client sends it; each part can be made wrong. */
export function frame(options: FrameOptions = {}): Buffer {
  const payload = bytesOf(options.payload ?? '');
  const length = options.claim ?? BigInt(payload.length);
  const bits = options.lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const first =
    (options.fin === false ? 0 : 0x80) | ((options.rsv ?? 0) << 4) | (options.opcode ?? OPCODE.text);
  const masked = options.masked !== false;
  const short = bits === 7 ? Number(length) : bits === 16 ? 126 : 127;
  const extended = Buffer.alloc(bits === 7 ? 0 : bits / 8);
  if (bits === 16) extended.writeUInt16BE(Number(length));
  if (bits === 64) extended.writeBigUInt64BE(length);
  const head = Buffer.concat([Buffer.from([first, (masked ? 0x80 : 0) | short]), extended]);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] as number))]);
}

export function text(payload: string | Uint8Array): Buffer {
  return frame({ payload });
}

/** A close frame; without a code its body is empty. */
export function close(code?: number, reason: string | Uint8Array = ''): Buffer {
  if (code === undefined) return frame({ opcode: OPCODE.close });
  const body = Buffer.alloc(2);
  body.writeUInt16BE(code);
  return frame({ opcode: OPCODE.close, payload: Buffer.concat([body, bytesOf(reason)]) });
}

function bytesOf(value: string | Uint8Array): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);
}

export interface ServerFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** A text frame of the server, parsed; `text` is what was on the wire. */
export interface WireFrame {
  readonly event: string;
  readonly id?: unknown;
  readonly data: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export interface HttpReply {
  readonly status: number;
  /** Lower-case names; repeated ones joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface Closed {
  /** Of the close frame; undefined when none came or it had no body. */
  readonly code: number | undefined;
  readonly reason: string;
  /** `ECONNRESET` and the like, when TCP ended in one. */
  readonly error: string | undefined;
}

export interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  readonly eol?: string;
  /** Over the defaults: undefined removes a header, an array sends it once per entry. Names as in `upgradeRequest`. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export function upgradeRequest(port: number, options: RequestOptions = {}): string {
  const eol = options.eol ?? '\r\n';
  const headers: NonNullable<RequestOptions['headers']> = {
    Host: `127.0.0.1:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...options.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  const start = `${options.method ?? 'GET'} ${options.path ?? '/ws'} ${options.version ?? 'HTTP/1.1'}`;
  return [start, ...lines, '', ''].join(eol);
}

interface Waiter {
  look(): boolean;
  fail(why: string): void;
}

/** Every socket that was opened and not yet disposed, so that no test leaves one behind. */
const open = new Set<RawSocket>();

/** Answers pings and close frames as a good client does, until told otherwise. */
export class RawSocket {
  /** Frames that came and were not taken yet, oldest first. */
  readonly frames: ServerFrame[] = [];
  answersPing = true;
  answersClose = true;
  private readonly replies: HttpReply[] = [];
  private readonly waiters = new Set<Waiter>();
  private pending: Buffer = Buffer.alloc(0);
  private upgraded = false;
  private ended = false;
  private closeFrame: ServerFrame | undefined;
  private closed: Closed | undefined;
  private fault: string | undefined;
  private lastId = 0;

  private constructor(
    readonly port: number,
    readonly tcp: Socket,
  ) {
    open.add(this);
    let error: string | undefined;
    tcp.setNoDelay(true);
    tcp.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code ?? cause.message));
    tcp.on('data', (chunk) => this.receive(chunk));
    tcp.on('end', () => {
      this.ended = true;
      this.receive(Buffer.alloc(0));
      tcp.end();
    });
    tcp.on('close', () => {
      const body = this.closeFrame?.payload;
      const code = body !== undefined && body.length >= 2 ? body.readUInt16BE(0) : undefined;
      this.closed = { code, reason: body?.toString('utf8', 2) ?? '', error };
      this.wake();
    });
  }

  static async open(port: number): Promise<RawSocket> {
    const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const raw = new RawSocket(port, tcp);
    await raw.wait('the TCP connection', STEP_LIMIT_MS, () => (tcp.connecting ? undefined : true), 'connect');
    return raw;
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    if (this.tcp.writable) this.tcp.write(Buffer.concat(parts.map(bytesOf)));
  }

  /** One TCP segment per byte, as far as the kernel keeps them apart. */
  async trickle(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      await new Promise<void>((done) => this.tcp.write(Buffer.from([byte]), () => setImmediate(done)));
    }
  }

  send(value: unknown): void {
    this.write(text(typeof value === 'string' ? value : JSON.stringify(value)));
  }

  /** Sends a request with the next free id and waits for its reply. */
  async request(event: string, data: unknown = {}): Promise<WireFrame> {
    const id = ++this.lastId;
    this.send({ event, id, data });
    return this.reply(id);
  }

  async ask(request: string): Promise<HttpReply> {
    this.write(request);
    return this.httpReply();
  }

  async upgrade(options?: RequestOptions): Promise<HttpReply> {
    return this.ask(upgradeRequest(this.port, options));
  }

  async httpReply(limitMs = STEP_LIMIT_MS): Promise<HttpReply> {
    return this.wait('an HTTP reply', limitMs, () => this.replies.shift());
  }

  async nextFrame(opcode: number, limitMs = STEP_LIMIT_MS): Promise<ServerFrame> {
    return this.take(`a frame with opcode ${opcode}`, limitMs, (one) =>
      one.opcode === opcode ? one : undefined,
    );
  }

  async next(limitMs = STEP_LIMIT_MS): Promise<WireFrame> {
    return this.take('a text frame', limitMs, parseWire);
  }

  async push(event: string, limitMs = STEP_LIMIT_MS): Promise<WireFrame> {
    return this.take(`a push "${event}"`, limitMs, (one) => {
      const wire = parseWire(one);
      return wire?.event === event ? wire : undefined;
    });
  }

  async reply(id: unknown, limitMs = STEP_LIMIT_MS): Promise<WireFrame> {
    return this.take(`the reply to ${JSON.stringify(id)}`, limitMs, (one) => {
      const wire = parseWire(one);
      return wire !== undefined && wire.id === id ? wire : undefined;
    });
  }

  /** Resolves when TCP has ended both ways. */
  async waitForClose(limitMs = STEP_LIMIT_MS): Promise<Closed> {
    return this.wait('the end of the connection', limitMs, () => this.closed);
  }

  get isOpen(): boolean {
    return this.closed === undefined && !this.ended && this.closeFrame === undefined;
  }

  dispose(): void {
    open.delete(this);
    this.tcp.destroy();
  }

  private async take<T>(
    what: string,
    limitMs: number,
    pick: (one: ServerFrame) => T | undefined,
  ): Promise<T> {
    return this.wait(what, limitMs, () => {
      for (const [index, one] of this.frames.entries()) {
        const found = pick(one);
        if (found === undefined) continue;
        this.frames.splice(index, 1);
        return found;
      }
      return undefined;
    });
  }

  private wait<T>(what: string, limitMs: number, look: () => T | undefined, event = ''): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter = {
        look: () => {
          const found = look();
          if (found === undefined) return false;
          settle();
          resolve(found);
          return true;
        },
        fail: (why) => {
          settle();
          reject(new Error(`${why} while waiting for ${what}. ${this.story()}`));
        },
      };
      const timer = setTimeout(() => waiter.fail(`Nothing within ${limitMs} ms`), limitMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
      };
      this.waiters.add(waiter);
      if (event !== '') this.tcp.once(event, () => this.wake());
      this.wake();
    });
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) {
      if (this.fault !== undefined) waiter.fail(this.fault);
      else if (!waiter.look() && this.closed !== undefined) waiter.fail('The connection ended');
    }
  }

  private story(): string {
    const left = this.frames
      .slice(0, 10)
      .map((one) => `[${one.opcode}] ${one.payload.toString('utf8').slice(0, 120)}`);
    const http = this.replies.map((reply) => `HTTP ${reply.status}`);
    return `Untaken ${this.frames.length}: ${JSON.stringify([...http, ...left])}. Closed: ${JSON.stringify(this.closed ?? null)}.`;
  }

  private receive(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    while (!this.upgraded) {
      const reply = readReply(this.pending, this.ended);
      if (reply === undefined) break;
      this.pending = this.pending.subarray(reply.size);
      this.upgraded = reply.value.status === 101;
      this.replies.push(reply.value);
    }
    while (this.upgraded) {
      const one = readFrame(this.pending);
      if (one === undefined) break;
      this.pending = this.pending.subarray(one.size);
      this.accept(one.value, one.fault);
    }
    this.wake();
  }

  private accept(one: ServerFrame, fault: string | undefined): void {
    this.fault ??= fault;
    if (this.closeFrame !== undefined) this.fault ??= 'The server sent a frame after its close frame';
    this.frames.push(one);
    if (one.opcode === OPCODE.ping && this.answersPing)
      this.write(frame({ opcode: OPCODE.pong, payload: one.payload }));
    if (one.opcode !== OPCODE.close) return;
    this.closeFrame = one;
    if (this.answersClose) this.write(frame({ opcode: OPCODE.close, payload: one.payload.subarray(0, 2) }));
  }
}

function parseWire(one: ServerFrame): WireFrame | undefined {
  if (one.opcode !== OPCODE.text) return undefined;
  const raw = one.payload.toString('utf8');
  const { event, id, data } = JSON.parse(raw) as WireFrame;
  return { event, id, data, text: raw };
}

function readFrame(
  bytes: Buffer,
): { value: ServerFrame; size: number; fault: string | undefined } | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = bytes as unknown as [number, number];
  const short = second & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  const bad =
    (second & 0x80) !== 0
      ? 'The server masked a frame'
      : (first & 0x70) !== 0
        ? 'The server set RSV'
        : undefined;
  return {
    value: { opcode: first & 0x0f, fin: (first & 0x80) !== 0, payload },
    size: start + length,
    fault: bad,
  };
}

function readReply(bytes: Buffer, ended: boolean): { value: HttpReply; size: number } | undefined {
  const cut = bytes.indexOf('\r\n\r\n');
  if (cut < 0) return undefined;
  const [start = '', ...lines] = bytes.toString('latin1', 0, cut).split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    const value = line.slice(line.indexOf(':') + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const status = Number(start.split(' ')[1]);
  const body = readBody(bytes.subarray(cut + 4), { status, headers }, ended);
  return body && { value: { status, headers, body: body.text }, size: cut + 4 + body.size };
}

type HeadOnly = Pick<HttpReply, 'status' | 'headers'>;

function readBody(
  rest: Buffer,
  { status, headers }: HeadOnly,
  ended: boolean,
): { text: string; size: number } | undefined {
  if (status === 101 || status === 204 || status === 304) return { text: '', size: 0 };
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(rest);
  const size = Number(headers.get('content-length') ?? Infinity);
  if (rest.length < size && !ended) return undefined;
  return { text: rest.toString('utf8', 0, Math.min(size, rest.length)), size: Math.min(size, rest.length) };
}

/** Chunks without trailers, as Node sends them. */
function readChunks(rest: Buffer): { text: string; size: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const length = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + length;
    if (rest.length < end + 2) return undefined;
    if (length === 0) return { text: Buffer.concat(chunks).toString('utf8'), size: end + 2 };
    chunks.push(rest.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}

export interface SessionOptions extends RequestOptions {
  /** Sent as `Authorization: Bearer`; a stranger when left out. */
  readonly token?: string;
}

/** An upgraded socket whose `welcome` was read. */
export async function openSession(port: number, options: SessionOptions = {}): Promise<RawSocket> {
  const raw = await RawSocket.open(port);
  const authorization = options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` };
  const reply = await raw.upgrade({ ...options, headers: { ...authorization, ...options.headers } });
  expect(reply.status, reply.body).toBe(101);
  expect((await raw.next()).event).toBe('welcome');
  return raw;
}

/** No limit that ordinary traffic of a test would meet. */
const UNLIMITED = {
  TRUNKLINE_MESSAGE_RATE: '0',
  TRUNKLINE_CONNECT_RATE: '0',
  TRUNKLINE_FAILED_LOGIN_RATE: '0',
  TRUNKLINE_MAX_SESSIONS_PER_USER: '0',
};

const ALIVE = {
  channel: 'alive:{name}',
  subscribe: 'authenticated',
  publish: 'authenticated',
  history: { size: 10, ttl: '1m' },
};

export interface SuiteServer extends TestServer {
  /** After each test: ends its sockets and waits until the server has let go of their sessions. */
  settle(): Promise<void>;
  /** After all tests: a fresh client is served, nothing leaks, the server ends. */
  finish(): Promise<void>;
}

/** A server of the suite's own, with channel rules beside the one the final check uses. */
export async function startSuiteServer(
  rules: readonly object[] = [],
  env: Record<string, string> = {},
): Promise<SuiteServer> {
  const socketsBefore = countTcpSockets();
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-raw-'));
  const file = join(folder, 'channels.json');
  await writeFile(file, JSON.stringify([ALIVE, ...rules]));
  const tidy = async (): Promise<void> => rm(folder, { recursive: true });
  const server = await startServer({ ...UNLIMITED, TRUNKLINE_CHANNELS_FILE: file, ...env }).catch(
    async (error: unknown) => {
      await tidy();
      throw error;
    },
  );
  const settle = async (): Promise<void> => {
    for (const raw of open) raw.dispose();
    await settlesAt(0, () => server.stats().sessions);
    await settlesAt(0, () => server.connections());
  };
  const finish = async (): Promise<void> => {
    try {
      await settle();
      await expectAlive(server);
      await settle();
    } finally {
      await server.close();
      await tidy();
    }
    await settlesAt(socketsBefore, countTcpSockets);
  };
  return { ...server, settle, finish };
}

/** A fresh client can connect, subscribe and hear its own message. */
export async function expectAlive(server: TestServer): Promise<void> {
  const raw = await openSession(server.port, { token: server.token('survivor') });
  expect((await raw.request('subscribe', { channel: 'alive:check' })).event).toBe('ok');
  const published = await raw.request('publish', { channel: 'alive:check', event: 'tick', data: { n: 1 } });
  expect(published.event).toBe('ok');
  const message = await raw.push('message');
  expect(message.data).toMatchObject({
    channel: 'alive:check',
    event: 'tick',
    data: { n: 1 },
    id: published.data['id'],
  });
  raw.dispose();
}

async function settlesAt(value: number, read: () => number | Promise<number>): Promise<void> {
  await vi.waitFor(async () => expect(await read()).toBe(value), { timeout: STEP_LIMIT_MS, interval: 10 });
}

/** TCP sockets of this process, both sides of each connection when the server runs in it. */
function countTcpSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
