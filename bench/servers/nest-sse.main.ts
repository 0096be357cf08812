// The peer `nest-sse`: event streams by Nest's own documented means. It has no history, cursor, limits or backpressure.
import 'reflect-metadata';
import type { IncomingMessage, Server } from 'node:http';
import {
  Controller,
  Get,
  Headers,
  HttpCode,
  Module,
  Sse,
  UnauthorizedException,
  type MessageEvent,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { map, startWith, Subject, type Observable } from 'rxjs';
import { WebSocketServer } from 'ws';
import { bearerCheck } from './token.js';

interface Publication {
  readonly channel: string;
  readonly id: number;
  readonly event: string;
  readonly data: unknown;
  readonly from: { readonly user: string };
  readonly time: number;
}

interface ClientFrame {
  readonly data: { readonly channel: string; readonly event: string; readonly data: unknown };
}

const userOf = bearerCheck(process.env['SECRET'] ?? '');
const publications = new Subject<Publication>();
let published = 0;

@Controller()
class StreamController {
  @Get()
  @HttpCode(204)
  ready(): void {}

  @Sse('sse')
  stream(@Headers('authorization') authorization: string | undefined): Observable<MessageEvent> {
    if (userOf(authorization) === undefined) throw new UnauthorizedException();
    return publications.pipe(
      map((publication): MessageEvent => ({
        type: 'message',
        id: String(publication.id),
        data: publication,
      })),
      startWith({ type: 'ready', data: {} }),
    );
  }
}

@Module({ controllers: [StreamController] })
class StreamModule {}

/** Publishing goes by a WebSocket, as with every server here, so that only the streams differ. */
function takePublications(front: Server): void {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
  front.on('upgrade', (request: IncomingMessage, stream, head) => {
    const user = userOf(request.headers.authorization);
    if (user === undefined) {
      stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      return;
    }
    server.handleUpgrade(request, stream, head, (socket) => {
      socket.on('message', (raw) => {
        const { data } = JSON.parse((raw as Buffer).toString('utf8')) as ClientFrame;
        published += 1;
        publications.next({ ...data, id: published, from: { user }, time: Date.now() });
      });
    });
  });
}

const app = await NestFactory.create(StreamModule, { logger: false });
const front = app.getHttpServer() as Server;
takePublications(front);
await app.init();
front.listen({ port: Number(process.env['PORT']), host: '127.0.0.1', backlog: 1024 });
