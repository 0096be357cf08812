// The peer `socket.io`: the same service by Socket.IO's own documented means.
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { type DefaultEventsMap, Server } from 'socket.io';
import { createFront, listen } from './http-front.js';
import { bearerCheck } from './token.js';

interface Publication {
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
}

interface FromClient {
  subscribe(request: { readonly channel: string }, reply: (answer: { channel: string }) => void): void;
  publish(publication: Publication): void;
}

interface ToClient {
  message(push: Publication & { id: number; from: { user: string }; time: number }): void;
}

/** Longer than any run: the load client answers no pings, as with every server here. */
const NEVER_MS = 3_600_000;

const userOf = bearerCheck(process.env['SECRET'] ?? '');
const front = createFront();
const io = new Server<FromClient, ToClient, DefaultEventsMap, { user: string }>(front, {
  transports: ['websocket'],
  allowUpgrades: false,
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  pingInterval: NEVER_MS,
  pingTimeout: NEVER_MS,
});
const redisUrl = process.env['REDIS'] ?? '';
if (redisUrl !== '') io.adapter(createAdapter(new Redis(redisUrl), new Redis(redisUrl)));
let published = 0;

io.use((socket, next) => {
  const user = userOf(socket.handshake.headers.authorization);
  if (user === undefined) {
    next(new Error('unauthenticated'));
    return;
  }
  socket.data.user = user;
  next();
});

io.on('connection', (socket) => {
  const { user } = socket.data;
  socket.on('subscribe', ({ channel }, reply) => {
    void socket.join(channel);
    reply({ channel });
  });
  socket.on('publish', ({ channel, event, data }) => {
    published += 1;
    io.to(channel).emit('message', { channel, id: published, event, data, from: { user }, time: Date.now() });
  });
});

listen(front);
