// A server whose health and metrics have a port of their own, and bytes by hand for either port. Knows no answer.

import { connect, type Socket } from 'node:net';
import { startE2e, type E2eOptions, type E2eServer } from './e2e-server.js';
import { freePorts } from './free-ports.js';

const RULES = [{ channel: 'room:{name}', subscribe: 'anyone', history: { size: 10, ttl: '1m' } }];
/** Milliseconds until one who hears nothing more is sure. */
const QUIET_MS = 5000;

export interface Both {
  readonly server: E2eServer;
  readonly opsPort: number;
  readonly ops: string;
}

const sockets = new Set<Socket>();

export async function startBoth({ env = {}, ...rest }: E2eOptions = {}): Promise<Both> {
  const [opsPort = 0] = await freePorts(1);
  const server = await startE2e({ rules: RULES, ...rest, env: { TRUNKLINE_OPS_PORT: `${opsPort}`, ...env } });
  return { server, opsPort, ops: `http://127.0.0.1:${opsPort}` };
}

/** A connection that ends with its test. */
export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    sockets.add(socket);
    socket.once('error', reject);
    // A reset is an end like another.
    socket.on('error', () => {});
  });
}

export interface Heard {
  readonly text: string;
  readonly statuses: readonly number[];
  readonly closed: boolean;
}

/** What comes back until the connection is closed. */
export async function send(port: number, bytes: string): Promise<Heard> {
  const socket = await open(port);
  return new Promise((resolve) => {
    let text = '';
    const finish = (closed: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
      resolve({ text, statuses, closed });
    };
    const timer = setTimeout(finish(false), QUIET_MS);
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.once('close', finish(true));
    socket.write(Buffer.from(bytes, 'latin1'));
  });
}

/** A target as it is written; `fetch` would mend it. */
export function ask(port: number, target: string, method = 'GET'): Promise<Heard> {
  return send(port, `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
}

/** After each test. */
export function disposeSockets(): void {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
}
