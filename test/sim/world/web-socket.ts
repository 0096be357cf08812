// A WebSocket without a socket: the client's end in the shape browsers have, the server's end as a link of the core. Knows frames by
// their length only.

import type { WebSocketConstructor, WebSocketLike } from '../../../client/src/ws-transport.js';
import type { Batch } from '../../../src/core/batch.js';
import type { Beating } from '../../../src/core/heartbeat.js';
import type { Link } from '../../../src/core/ports/link.js';
import type { Session } from '../../../src/core/session.js';
import { CLOSE, NO_CLOSE_CODE } from '../../../src/protocol/codes.js';
import { BEARER_SUBPROTOCOL } from '../../../src/protocol/frames.js';
import type { Connection } from './network.js';
import { Outflow } from './outflow.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
/** Bytes of a control frame. */
const PING_BYTES = 2;

/** Hears what passes one connection, as it is read and written by the client. */
export interface Tap {
  sent(text: string): void;
  came(text: string): void;
  ended(): void;
}

type Listener = (event: { data?: unknown; code?: number; reason?: string; message?: string }) => void;

export class FakeSocket implements WebSocketLike {
  readyState = CONNECTING;
  connection: Connection | undefined;
  link: WsLink | undefined;
  tap: Tap | undefined;
  private readonly listeners = new Map<string, Listener>();

  addEventListener(type: string, listener: unknown): void {
    this.listeners.set(type, listener as Listener);
  }

  send(text: string): void {
    this.tap?.sent(text);
    this.connection?.toServer.send(() => this.link?.receive(text));
  }

  close(code = CLOSE.normal.code): void {
    if (this.readyState === CLOSED) return;
    this.over();
    const { connection } = this;
    connection?.toServer.end(() => {
      this.link?.gone(code);
      connection.finish();
    });
  }

  opened(link: WsLink): void {
    this.link = link;
    this.readyState = OPEN;
  }

  read(text: string): void {
    if (this.readyState !== OPEN) return;
    this.tap?.came(text);
    this.listeners.get('message')?.({ data: text });
  }

  ended(code: number, reason: string): void {
    if (this.readyState === CLOSED) return;
    this.over();
    if (code === NO_CLOSE_CODE) this.listeners.get('error')?.({ message: reason });
    this.listeners.get('close')?.({ code, reason });
  }

  /** The page is gone, and with it everybody who listened. */
  forget(): void {
    this.over();
    this.listeners.clear();
  }

  private over(): void {
    this.readyState = CLOSED;
    this.tap?.ended();
  }
}

/** `dial` opens the connection, later. */
export function socketClass(
  dial: (socket: FakeSocket, token: string | undefined) => void,
): WebSocketConstructor {
  return class extends FakeSocket {
    constructor(_url: string, protocols: string[]) {
      super();
      const bearer = protocols.find((name) => name.startsWith(BEARER_SUBPROTOCOL));
      dial(this, bearer?.slice(BEARER_SUBPROTOCOL.length));
    }
  };
}

export class WsLink implements Link, Beating {
  readonly transport = 'ws';
  alive = true;
  session: Session | undefined;
  private readonly out: Outflow;
  private readonly unread: string[] = [];
  private paused = false;
  private closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly socket: FakeSocket,
    private readonly forget: (link: WsLink) => void,
  ) {
    this.out = new Outflow(connection.toClient, () => this.session?.drained());
  }

  get bufferedBytes(): number {
    return this.out.waiting;
  }

  /** The socket takes nothing more. */
  get full(): boolean {
    return this.out.full;
  }

  /** Each frame is an event of its own to its reader, as in a browser. */
  write(batch: Batch): boolean {
    if (this.closed) return true;
    const { socket } = this;
    const parts = textsIn(batch.bytes()).map((text) => ({
      size: text.length,
      deliver: () => socket.read(text),
    }));
    return this.out.write(parts);
  }

  receive(text: string): void {
    if (this.paused) this.unread.push(text);
    else this.session?.receive(text);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    while (!this.paused && this.unread.length > 0) this.session?.receive(this.unread.shift() as string);
  }

  custom(): undefined {
    return undefined;
  }

  ping(): void {
    const pong = (): void => void (this.alive = true);
    this.out.write([{ size: PING_BYTES, deliver: () => this.connection.toServer.send(pong) }]);
  }

  lost(): void {
    if (!this.paused) this.session?.close(CLOSE.heartbeat);
  }

  close(code: number, reason: string): void {
    this.closed = true;
    this.forget(this);
    const { connection, socket } = this;
    connection.toClient.end(() => {
      connection.finish();
      socket.ended(code, reason);
    });
  }

  /** The peer has closed, or the connection broke. */
  gone(code: number): void {
    this.closed = true;
    this.forget(this);
    this.session?.closed(code);
  }
}

/** The texts of unmasked frames (RFC 6455 §5.2), of which a batch may hold several. */
export function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const short = bytes[at + 1] as number;
    const begin = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    texts.push(bytes.toString('utf8', begin, begin + length));
    at = begin + length;
  }
  return texts;
}
