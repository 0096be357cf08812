// The HTTP server under each peer: answers readiness, leaves upgrades to the peer, and listens on PORT of loopback.
import { createServer, type Server } from 'node:http';

export function createFront(): Server {
  return createServer((_request, response) => response.writeHead(204).end());
}

export function listen(front: Server): void {
  const port = Number(process.env['PORT']);
  // A backlog over the load client's 256 connections under way, so that none waits for a SYN to be sent again.
  front.listen({ port, host: '127.0.0.1', backlog: 1024 }, () => console.log(`listening ${port}`));
}
