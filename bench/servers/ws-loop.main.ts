// The peer `ws`: what a careful team writes by hand with the `ws` package. It has no history, limits, presence or
// backpressure, which is its advantage here.
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { createFront, listen } from './http-front.js';
import { bearerCheck } from './token.js';

interface ClientFrame {
  readonly event: string;
  readonly id?: number;
  readonly data: { readonly channel: string; readonly event?: string; readonly data?: unknown };
}

const userOf = bearerCheck(process.env['SECRET'] ?? '');
const channels = new Map<string, Set<WebSocket>>();
const AS_TEXT = { binary: false };
let published = 0;

function subscribe(socket: WebSocket, { id, data: { channel } }: ClientFrame): void {
  let members = channels.get(channel);
  if (!members) channels.set(channel, (members = new Set()));
  members.add(socket);
  socket.send(JSON.stringify({ event: 'ok', id, data: { channel } }));
}

/** Encoded once for all: passing text would make `ws` encode it again for each socket. */
function publish(user: string, { data: { channel, event, data } }: ClientFrame): void {
  published += 1;
  const push = { channel, id: published, event, data, from: { user }, time: Date.now() };
  const bytes = Buffer.from(JSON.stringify({ event: 'message', data: push }));
  for (const member of channels.get(channel) ?? []) member.send(bytes, AS_TEXT);
}

function receive(socket: WebSocket, user: string, raw: RawData): void {
  const frame = JSON.parse((raw as Buffer).toString('utf8')) as ClientFrame;
  if (frame.event === 'subscribe') subscribe(socket, frame);
  else if (frame.event === 'publish') publish(user, frame);
}

const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
const front = createFront();

front.on('upgrade', (request, stream, head) => {
  const user = userOf(request.headers.authorization);
  if (user === undefined) {
    stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    return;
  }
  server.handleUpgrade(request, stream, head, (socket) => {
    socket.on('message', (raw) => receive(socket, user, raw));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      for (const members of channels.values()) members.delete(socket);
    });
  });
});

listen(front);
