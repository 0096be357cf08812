// The servers Trunkline is measured beside: each a program of its own in this folder, started with PORT and SECRET.
import { fileURLToPath } from 'node:url';
import type { Dialect } from '../lib/load.js';
import { streamDialect, trunklineDialect } from './frames.js';
import type { BenchServer, LaunchContext } from './server.js';

interface Peer {
  readonly name: string;
  readonly about: string;
  readonly program: string;
  readonly dialect: (token: string) => Dialect;
}

function peer({ name, about, program, dialect }: Peer): BenchServer {
  return {
    name,
    about,
    readyPath: '/',
    launch: ({ port, secret, redisUrl = '' }: LaunchContext) => ({
      args: [fileURLToPath(new URL(program, import.meta.url))],
      env: { PORT: String(port), SECRET: secret, REDIS: redisUrl, NODE_ENV: 'production' },
    }),
    dialect,
  };
}

export const wsLoop = peer({
  name: 'ws',
  about:
    'a plain `ws` server: token check, sets of sockets, one JSON.stringify and one send loop per message',
  program: './ws-loop.main.js',
  dialect: (token) => trunklineDialect('/', 'bench:a', token),
});

export const wsBare = peer({
  name: 'ws-bare',
  about: 'a `ws` server that accepts sockets and does nothing else: no token, no subscription',
  program: './ws-bare.main.js',
  dialect: () => ({ path: '/', headers: [], steps: [] }),
});

export const socketIo = peer({
  name: 'socket.io',
  about: 'a Socket.IO server, WebSocket transport only: token check, rooms, `io.to(room).emit`',
  program: './socket-io.main.js',
  dialect: (token) => ({
    path: '/socket.io/?EIO=4&transport=websocket',
    headers: [`Authorization: Bearer ${token}`],
    steps: [
      { send: '40', awaited: '40{"sid"' },
      { send: '420["subscribe",{"channel":"bench:a"}]', awaited: '430[' },
    ],
    publish: '42["publish",{"channel":"bench:a","event":"tick","data":"%T"}]',
  }),
});

export const nestSse = peer({
  name: 'nest-sse',
  about: "a Nest controller with Nest's own `@Sse`: token check, one Subject, an Observable for each stream",
  program: './nest-sse.main.js',
  dialect: (token) =>
    streamDialect({ path: '/sse', beside: '/publish', ready: 'event: ready' }, 'bench:a', token),
});

export const socketIoPair: BenchServer = {
  ...socketIo,
  name: 'socket.io-redis',
  about: 'two Socket.IO servers over one Redis by `@socket.io/redis-adapter`',
  pair: true,
  dialect: (token) => ({ ...socketIo.dialect(token), publisherHello: '40' }),
};
