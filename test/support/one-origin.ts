// A small proxy that serves the files of a folder and hands everything else to a server, upgrades included: page and server on one origin.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

export interface OneOrigin {
  readonly url: string;
  close(): Promise<void>;
}

export async function oneOrigin(folder: string, port: number): Promise<OneOrigin> {
  const sockets = new Set<Socket>();
  const proxy = createServer((incoming, response) => {
    const file = join(folder, new URL(incoming.url ?? '/', 'http://proxy').pathname);
    if (existsSync(file) && statSync(file).isFile()) {
      response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(readFileSync(file));
      return;
    }
    const { method, url: path, headers } = incoming;
    const forward = request({ port, host: '127.0.0.1', method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forward.on('error', () => response.destroy());
    response.on('close', () => forward.destroy());
    incoming.pipe(forward);
  });
  proxy.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  proxy.on('upgrade', (incoming, socket, head) => {
    const server = connect(port, '127.0.0.1', () => {
      server.write(headOf(incoming));
      server.write(head);
      server.pipe(socket);
      socket.pipe(server);
    });
    server.on('error', () => socket.destroy());
    socket.on('error', () => server.destroy());
    socket.once('close', () => server.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function headOf({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
