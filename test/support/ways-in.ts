// Every way into a server with any credential in any place, and as whom the server took it. Knows no rule of credentials.

import { Module } from '@nestjs/common';
import { Channel, ChannelParam, OnSubscribe, Who, type Identity } from '../../src/index.js';
import { openSse, SseRefused } from './sse-client.js';
import { connect, Refused } from './ws-client.js';

export type Way = 'websocket' | 'sse' | 'polling' | 'rest';
export const WAYS: readonly Way[] = ['websocket', 'sse', 'polling', 'rest'];
export const CONNECTS: readonly Way[] = ['websocket', 'sse', 'polling'];

/** What a request brings. */
export interface Brought {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: readonly (readonly [string, string])[];
  /** WebSocket only. */
  readonly protocols?: readonly string[];
}

export interface Taken {
  readonly status: number;
  /** The user; `stranger` or `backend`; undefined when it was refused. */
  readonly as: string | undefined;
  /** All that the server answered, but for messages. */
  readonly answer: string;
}

const seen = new Map<string, string>();
let asked = 0;

@Channel('door:{question}', { subscribe: 'anyone', history: { size: 5, ttl: '1m' } })
class Door {
  @OnSubscribe()
  notice(@ChannelParam('question') question: string, @Who() who: Identity): void {
    seen.set(question, who.user ?? 'stranger');
  }
}

/** To be among the modules of the server. Without a credential its channel lets anyone in. */
@Module({ providers: [Door] })
export class DoorModule {}

export async function enter(url: string, way: Way, brought: Brought): Promise<Taken> {
  const question = `q${++asked}`;
  const channel = `door:${question}`;
  const { status, answer } = await ASK[way](url, channel, brought);
  const passed = status === 101 || status === 200;
  // A backend is let in without the handler being asked, where the transport reads the log alone.
  return { status, as: passed ? (seen.get(question) ?? 'backend') : undefined, answer };
}

type Ask = (url: string, channel: string, brought: Brought) => Promise<Pick<Taken, 'status' | 'answer'>>;

const queryOf = (query: Brought['query'] = []): string =>
  new URLSearchParams(query.map(([name, value]) => [name, value])).toString();

const ASK: Readonly<Record<Way, Ask>> = {
  websocket: async (url, channel, { headers = {}, query, protocols = ['trunkline.v1'] }) => {
    try {
      const target = `${url.replace('http', 'ws')}/ws?${queryOf(query)}`;
      const client = await connect(target, { headers, protocols });
      await client.subscribe(channel);
      const answer = `${client.socket.protocol} ${JSON.stringify(client.frames)}`;
      client.cut();
      return { status: 101, answer };
    } catch (error) {
      if (error instanceof Refused) return { status: error.status, answer: text(error.headers, error.body) };
      throw error;
    }
  },
  sse: async (url, channel, { headers = {}, query = [] }) => {
    try {
      const stream = await openSse(url, [channel], { headers, query });
      await stream.ready();
      const answer = text(stream.headers, JSON.stringify(stream.events));
      stream.destroy();
      return { status: 200, answer };
    } catch (error) {
      if (error instanceof SseRefused)
        return { status: error.status, answer: text(error.headers, error.body) };
      throw error;
    }
  },
  polling: (url, channel, { headers = {}, query }) =>
    plain(`${url}/poll?channel=${channel}&wait=0&${queryOf(query)}`, headers),
  rest: (url, channel, { headers = {}, query }) =>
    plain(`${url}/api/channels/${channel}/messages?${queryOf(query)}`, headers),
};

async function plain(url: string, headers: Brought['headers']): Promise<Pick<Taken, 'status' | 'answer'>> {
  const response = await fetch(url, { headers: headers ?? {}, redirect: 'manual' });
  const answer = text(Object.fromEntries(response.headers), await response.text());
  return { status: response.status, answer };
}

function text(headers: object, body: string): string {
  return `${JSON.stringify(headers)}\n${body}`;
}
