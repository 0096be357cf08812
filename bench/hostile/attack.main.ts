// The attackers of scenario `hostile`, a process of their own: connects from many addresses of the loopback, half with bad tokens, half with
// requests that never end. Prints what came of them as JSON when it is told to end. Knows nothing of what is measured.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

interface Plan {
  readonly port: number;
  readonly perMinute: number;
  readonly addresses: number;
}

export interface AttackOutput {
  readonly seconds: number;
  readonly opened: number;
  /** Answers to bad tokens, by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests without an end that the server has cut off, and their longest life. */
  readonly cutOff: number;
  readonly longestMs: number;
  readonly failed: number;
}

const TICK_MS = 10;
const plan = JSON.parse(process.env['PLAN'] ?? '') as Plan;
const statuses: Record<string, number> = {};
const started = performance.now();
const held = new Set<Socket>();
let opened = 0;
let cutOff = 0;
let longestMs = 0;
let failed = 0;

setInterval(() => {
  const due = ((performance.now() - started) * plan.perMinute) / 60_000;
  while (opened < due) attack(opened++);
}, TICK_MS);

process.on('SIGTERM', () => {
  const seconds = (performance.now() - started) / 1000;
  const output: AttackOutput = { seconds, opened, statuses, cutOff, longestMs, failed };
  for (const socket of held) socket.destroy();
  process.stdout.write(JSON.stringify(output), () => process.exit(0));
});

function attack(n: number): void {
  // 127.0.1.1 to 127.0.250.250: each address comes again and again, as those of real attackers do.
  const address = n % plan.addresses;
  const localAddress = `127.0.${1 + Math.floor(address / 250)}.${1 + (address % 250)}`;
  const socket = connect({ port: plan.port, host: '127.0.0.1', localAddress });
  socket.on('error', () => failed++);
  if (Math.floor(n / plan.addresses) % 2 === 0) badToken(socket);
  else unfinished(socket);
}

function badToken(socket: Socket): void {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'mallory', exp })}.${randomBytes(32).toString('base64url')}`;
  socket.write(`${head()}Authorization: Bearer ${token}\r\n\r\n`);
  socket.once('data', (bytes) => {
    const status = bytes.toString('latin1', 9, 12);
    statuses[status] = (statuses[status] ?? 0) + 1;
    socket.destroy();
  });
}

function unfinished(socket: Socket): void {
  const since = performance.now();
  held.add(socket);
  socket.write(`${head()}X-More: `);
  socket.resume();
  socket.once('close', () => {
    held.delete(socket);
    cutOff++;
    longestMs = Math.max(longestMs, performance.now() - since);
  });
}

function head(): string {
  const key = randomBytes(16).toString('base64');
  return `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
}
