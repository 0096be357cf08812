// The client side of scenario `channels`: many sessions, each with channels of its own, that count what they hear. Starts nothing.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { BenchError } from '../lib/bench-error.js';

export interface CrowdPlan {
  readonly port: number;
  readonly token: string;
  readonly sessions: number;
  readonly channelsEach: number;
}

interface Frame {
  readonly event: string;
  readonly id?: number;
  readonly data?: { readonly channel?: string; readonly data?: unknown };
}

/** Handshakes at a time. */
const AT_ONCE = 50;
/** Milliseconds for one step of all; a server that takes longer has failed. */
const STEP_MS = 120_000;

export class Crowd {
  private readonly sockets: WebSocket[] = [];
  private subscribed = 0;
  private refused: string | undefined;
  /** Called with the channel and the payload of each message. */
  onMessage: (channel: string, data: unknown) => void = () => {};
  /** Messages that said something of an own channel may be missing. */
  gaps = 0;

  constructor(private readonly plan: CrowdPlan) {}

  async connect(): Promise<void> {
    while (this.sockets.length < this.plan.sessions) {
      const count = Math.min(AT_ONCE, this.plan.sessions - this.sockets.length);
      this.sockets.push(...(await Promise.all(Array.from({ length: count }, () => this.open()))));
    }
  }

  /** All sessions at once, each one request after the other. */
  async subscribe(): Promise<void> {
    const { sessions, channelsEach } = this.plan;
    for (const [n, socket] of this.sockets.entries()) {
      for (let k = 0; k < channelsEach; k++) {
        const channel = channelName(n, k);
        socket.send(JSON.stringify({ event: 'subscribe', id: k + 1, data: { channel } }));
      }
    }
    const deadline = Date.now() + STEP_MS;
    while (this.subscribed < sessions * channelsEach) {
      if (this.refused !== undefined)
        throw new BenchError(`channels: a subscription was refused: ${this.refused}`);
      if (Date.now() > deadline)
        throw new BenchError(`channels: only ${this.subscribed} subscriptions in time`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  publish(session: number, channel: string, data: unknown): void {
    this.sockets[session]?.send(JSON.stringify({ event: 'publish', data: { channel, event: 'tick', data } }));
  }

  /** Connections that are still open. */
  get connected(): number {
    return this.sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  }

  end(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  private async open(): Promise<WebSocket> {
    const { port, token } = this.plan;
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['trunkline.v1'], { headers });
    socket.on('message', (bytes: Buffer) => this.hear(JSON.parse(bytes.toString('utf8')) as Frame, bytes));
    socket.on('error', () => {});
    await once(socket, 'open');
    return socket;
  }

  private hear({ event, data }: Frame, bytes: Buffer): void {
    if (event === 'ok') this.subscribed++;
    else if (event === 'error') this.refused ??= bytes.toString('utf8').slice(0, 200);
    else if (event === 'gap') this.gaps++;
    else if (event === 'message') this.onMessage(data?.channel ?? '', data?.data);
  }
}

export const channelName = (session: number, n: number): string => `benchlog:c${session}-${n}`;
