// Other users of upgrades on the same port: a team's own Nest gateways, on their own path and on ours, and a plain `ws` server.

import { type CanActivate, Injectable, Module, UseGuards } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  type OnGatewayConnection,
  type WsResponse,
} from '@nestjs/websockets';
import { of, type Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { connect, disposeClients, refused } from '../support/ws-client.js';

@Injectable()
class NobodyGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

/** Released by the test; a handler that waits for it is slow. */
const gate = { open: (): void => {} };

@WebSocketGateway({ path: '/ws' })
class BesideGateway {
  @SubscribeMessage('sum')
  sum(@MessageBody() { a, b }: { a: number; b: number }): { sum: number } {
    return { sum: a + b };
  }

  @SubscribeMessage('announce')
  announce(@MessageBody() { text }: { text: string }): WsResponse<{ text: string }> {
    return { event: 'announced', data: { text } };
  }

  @SubscribeMessage('several')
  several(): Observable<WsResponse<number>> {
    return of({ event: 'part', data: 1 }, { event: 'part', data: 2 }, { event: 'part', data: 3 });
  }

  @SubscribeMessage('nothing')
  nothing(): void {}

  @SubscribeMessage('slow')
  async slow(): Promise<{ slow: true }> {
    await new Promise<void>((resolve) => (gate.open = resolve));
    return { slow: true };
  }

  @SubscribeMessage('direct')
  direct(@ConnectedSocket() client: WebSocket): { sent: true } {
    client.send(JSON.stringify({ event: 'by-hand', data: { ok: true } }));
    return { sent: true };
  }

  @UseGuards(NobodyGuard)
  @SubscribeMessage('guarded')
  guarded(): object {
    return {};
  }

  @SubscribeMessage('picky')
  picky(): never {
    throw new WsException('The number is odd.');
  }

  @SubscribeMessage('coded')
  coded(): never {
    throw new WsException({ code: 'limit_exceeded', message: 'Three at most.' });
  }

  @SubscribeMessage('broken')
  broken(): never {
    throw new Error('password=hunter2');
  }
}

@WebSocketGateway({ path: '/team' })
class TeamGateway implements OnGatewayConnection<WebSocket> {
  handleConnection(client: WebSocket): void {
    client.send(JSON.stringify({ event: 'hello', data: {} }));
  }

  @SubscribeMessage('echo')
  echo(@MessageBody() data: unknown): WsResponse<unknown> {
    return { event: 'echoed', data };
  }
}

@Module({ providers: [BesideGateway, TeamGateway] })
class TeamModule {}

let server: E2eServer;
const plain = new WebSocketServer({ noServer: true });
beforeAll(async () => {
  server = await startE2e({ boot: { modules: [TeamModule] } });
  plain.on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`plain ${(data as Buffer).toString()}`)),
  );
  server.app.getHttpServer().on('upgrade', (request, socket, head) => {
    if (request.url === '/other')
      plain.handleUpgrade(request, socket, head, (client) => plain.emit('connection', client));
  });
});
afterEach(disposeClients);
afterAll(() => server.close());

const at = (path: string): string => `ws://127.0.0.1:${server.port}${path}`;

describe('a gateway of the application on /ws', () => {
  it('answers with what its handler returns', async () => {
    const client = await server.join('ana');
    expect(await client.ok('sum', { a: 2, b: 3 })).toEqual({ sum: 5 });
  });

  it('answers with an empty reply when its handler returns nothing', async () => {
    const client = await server.join('ana');
    expect(await client.ok('nothing')).toEqual({});
  });

  it('pushes a WsResponse as a frame of its own, before the reply', async () => {
    const client = await server.join('ana');
    expect(await client.ok('announce', { text: 'hi' })).toEqual({});
    const events = client.frames.map(({ event }) => event);
    expect(events.slice(-2)).toEqual(['announced', 'ok']);
    expect((await client.next('announced')).data).toEqual({ text: 'hi' });
  });

  it('pushes each value of a stream, in order', async () => {
    const client = await server.join('ana');
    await client.ok('several');
    const parts = client.frames.filter(({ event }) => event === 'part').map(({ data }) => data as unknown);
    expect(parts).toEqual([1, 2, 3]);
  });

  it('may write to its client by itself', async () => {
    const client = await server.join('ana');
    expect(await client.ok('direct')).toEqual({ sent: true });
    expect((await client.next('by-hand')).data).toEqual({ ok: true });
  });

  it.each([
    ['guarded', 'forbidden', undefined],
    ['picky', 'invalid_data', 'The number is odd.'],
    ['coded', 'limit_exceeded', 'Three at most.'],
    ['broken', 'internal', undefined],
    ['unheard-of', 'unknown_event', undefined],
  ])('whose handler "%s" refuses is answered %s', async (event, code, message) => {
    const client = await server.join('ana');
    const reply = await client.request(event, { secret: 'payload' });
    expect([reply.event, reply.data.code]).toEqual(['error', code]);
    if (message !== undefined) expect(reply.data.message).toBe(message);
    expect(JSON.stringify(reply)).not.toMatch(/hunter2|payload/);
    expect(client.frames.map((frame) => frame.event)).not.toContain('exception');
    await client.settled();
  });

  it('that is slow does not let later requests overtake it', async () => {
    const client = await server.join('ana');
    const replies: string[] = [];
    client.socket.on('message', (data) => {
      const { id } = JSON.parse((data as Buffer).toString()) as { id?: string };
      if (id !== undefined) replies.push(id);
    });
    client.send({ event: 'ping', id: 'before' });
    client.send({ event: 'slow', id: 'slow' });
    client.send({ event: 'sum', id: 'sum', data: { a: 1, b: 1 } });
    client.send({ event: 'subscribe', id: 'subscribe', data: { channel: 'chat:order' } });
    client.send({ event: 'ping', id: 'after' });
    await client.next('ok', ({ id }) => id === 'before');
    const other = await server.join('ben');
    await other.settled();
    expect(replies).toEqual(['before']);
    gate.open();
    await client.next('ok', ({ id }) => id === 'after');
    expect(replies).toEqual(['before', 'slow', 'sum', 'subscribe', 'after']);
  });

  it('does not mix up the exceptions of two sessions', async () => {
    const [ana, ben] = await Promise.all([server.join('ana'), server.join('ben')]);
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 2 === 0 ? ana.refusal('picky') : ben.ok('sum', { a: i, b: 0 }).then(({ sum }) => sum),
      ),
    );
    expect(results).toEqual(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 'invalid_data' : i)));
  });
});

describe('a gateway of the application on its own path', () => {
  it('is greeted and answered as Nest users know it, without our protocol', async () => {
    const client = await connect(at('/team'), { token: server.token('ana') });
    client.send({ event: 'echo', data: { a: 1 } });
    expect((await client.next('echoed')).data).toEqual({ a: 1 });
    expect(client.frames.map(({ event }) => event)).toEqual(['hello', 'echoed']);
  });

  it('refuses a bad credential and a foreign page before the upgrade as /ws does', async () => {
    expect((await refused(at('/team'), { token: 'abc' })).status).toBe(401);
    expect((await refused(at('/team'), { headers: { origin: 'https://evil.example' } })).status).toBe(403);
  });
});

describe('another server of upgrades on the port', () => {
  it('gets its path, and ours goes on', async () => {
    const socket = new WebSocket(at('/other'));
    socket.on('open', () => socket.send('hello'));
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on('message', (data) => resolve((data as Buffer).toString()));
      socket.on('error', reject);
    });
    expect(answer).toBe('plain hello');
    const client = await server.join('ana');
    await client.settled();
    socket.close();
  });

  it('leaves a path of nobody to us: 404', async () => {
    const refusal = await refused(at('/nowhere'));
    expect([refusal.status, refusal.code]).toEqual([404, 'not_found']);
  });

  it('keeps its connection when it takes a while to say something', async () => {
    const socket = new WebSocket(at('/other'));
    await new Promise((resolve) => socket.once('open', resolve));
    await refused(at('/nowhere'));
    const answer = new Promise<string>((resolve) => {
      socket.on('message', (data) => resolve((data as Buffer).toString()));
    });
    socket.send('late');
    expect(await answer).toBe('plain late');
    socket.close();
  });
});

describe('without another server of upgrades', () => {
  it.each(['/nowhere', '/', '/ws/', '/WS', '/ws%2f', '/team/x'])(
    'the path %s is 404 at once',
    async (path) => {
      const alone = await startE2e();
      const start = performance.now();
      const refusal = await refused(`ws://127.0.0.1:${alone.port}${path}`);
      expect([refusal.status, refusal.headers['content-type']]).toEqual([404, 'application/problem+json']);
      expect(performance.now() - start).toBeLessThan(2000);
      await alone.close();
    },
  );
});
