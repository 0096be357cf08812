// The proxy of the fault tests does each fault as it says, the same for the same seed, and ends by itself.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChaosProxy, FAULTS, type ChaosOptions, type Fault } from '../support/chaos-proxy.js';
import { until } from '../support/wait.js';

/** Answers what it hears with the same; `flood` makes it send that many bytes first. */
let server: Server;
let flood = 0;
const served = new Set<Socket>();
const proxies: ChaosProxy[] = [];
const clients = new Set<Client>();

beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    served.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => served.delete(socket));
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('end', () => socket.end());
    if (flood > 0) socket.write(Buffer.alloc(flood, 120));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  flood = 0;
  for (const client of clients) client.socket.destroy();
  clients.clear();
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});
afterAll(() => server.close());

async function proxyWith(options: Partial<ChaosOptions> = {}): Promise<ChaosProxy> {
  const proxy = await ChaosProxy.start({ target: (server.address() as AddressInfo).port, ...options });
  proxies.push(proxy);
  return proxy;
}

class Client {
  received = 0;
  ended = false;
  error: string | undefined;
  closed = false;
  readonly socket: Socket;

  constructor(proxy: ChaosProxy) {
    this.socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk) => (this.received += chunk.length));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('error', (cause: NodeJS.ErrnoException) => (this.error = cause.code));
    this.socket.on('close', () => (this.closed = true));
    clients.add(this);
  }

  async echo(bytes = 10): Promise<number> {
    const before = this.received;
    const start = performance.now();
    this.socket.write(Buffer.alloc(bytes, 97));
    await until(() => this.received >= before + bytes, 'the echo');
    return performance.now() - start;
  }
}

const opened = async (fault: Fault, options: Partial<ChaosOptions> = {}) => {
  const proxy = await proxyWith({ faults: [fault], strikeMs: [30, 30], ...options });
  return { proxy, client: new Client(proxy) };
};

describe('without a fault', () => {
  it('hands on both ways, and each end to the other side', async () => {
    const { proxy, client } = await opened('none');
    await client.echo(200_000);
    client.socket.end();
    await until(() => client.closed, 'the end');
    expect([client.ended, client.error, client.received]).toEqual([true, undefined, 200_000]);
    await until(() => proxy.open === 0, 'the link to be freed');
  });

  it('lets a reader that stops be felt behind it', async () => {
    flood = 30_000_000;
    const { client } = await opened('none');
    client.socket.pause();
    await once(client.socket, 'connect');
    await until(() => served.size > 0, 'the connection behind');
    const [behind] = [...served].slice(-1) as [Socket];
    await until(() => behind.writableLength > 0, 'the peer to be full');
    client.socket.resume();
    await until(() => client.received === flood, 'all of it');
  });
});

describe('a fault', () => {
  it('delay holds each chunk back', async () => {
    const { client } = await opened('delay', { delayMs: [60, 60] });
    expect(await client.echo()).toBeGreaterThanOrEqual(110);
  });

  it('throttle lets no more through than its rate', async () => {
    const { client } = await opened('throttle', { rate: [100_000, 100_000] });
    expect(await client.echo(30_000)).toBeGreaterThan(250);
  });

  it('stall stops both ways for its time, and then nothing is missing', async () => {
    const { client } = await opened('stall', { stallMs: [300, 300] });
    let longest = 0;
    const start = performance.now();
    while (longest < 150 && performance.now() < start + 2000)
      longest = Math.max(longest, await client.echo());
    expect(longest).toBeGreaterThan(150);
  });

  it('reset is an ECONNRESET at both ends', async () => {
    const { client } = await opened('reset');
    await client.echo();
    await until(() => client.closed, 'the cut');
    expect(client.error).toBe('ECONNRESET');
    await until(() => served.size === 0, 'the server to learn of it');
  });

  it('end is an ordinary end in the midst of things', async () => {
    const { client } = await opened('end');
    await until(() => client.ended, 'the end');
    expect(client.error).toBeUndefined();
  });

  it('half-close ends one way only, and the rest after its patience', async () => {
    const { client } = await opened('half-close', { seed: 3, stallMs: [300, 300] });
    await until(() => client.ended || client.closed, 'the half-close');
    await until(() => served.size === 0, 'the rest to end');
  });

  it('cut-response cuts after that many bytes of the server', async () => {
    flood = 5000;
    const { client } = await opened('cut-response', { cutAfter: [1234, 1234], seed: 1 });
    await until(() => client.closed || client.ended, 'the cut');
    expect([client.error, client.received]).toEqual([undefined, 1234]);
  });

  it('black-hole accepts, says nothing, and lasts a bounded time', async () => {
    const { client } = await opened('black-hole', { stallMs: [200, 200] });
    client.socket.write('hello');
    await until(() => client.closed, 'its end');
    expect(client.received).toBe(0);
  });

  it('refuse resets at once', async () => {
    const { proxy, client } = await opened('refuse');
    await until(() => client.closed, 'the refusal');
    expect([client.error, proxy.open]).toEqual(['ECONNRESET', 0]);
  });
});

describe('by hand', () => {
  it('a black hole swallows old and new connections without a word, and a heal brings back all that was held', async () => {
    const proxy = await proxyWith();
    const old = new Client(proxy);
    await old.echo();
    proxy.blackHole();
    const fresh = new Client(proxy);
    old.socket.write('held');
    fresh.socket.write('held too');
    await once(fresh.socket, 'connect');
    await until(() => proxy.open === 2, 'both');
    const witness = new Client(await proxyWith());
    await witness.echo();
    expect([old.received, fresh.received]).toEqual([10, 0]);
    proxy.heal();
    await until(() => old.received === 14 && fresh.received === 8, 'what was held');
  });

  it('a client that goes in a black hole is not missed behind it until the heal', async () => {
    const proxy = await proxyWith();
    const client = new Client(proxy);
    await client.echo();
    const before = served.size;
    proxy.blackHole();
    client.socket.destroy();
    const witness = new Client(await proxyWith());
    await witness.echo();
    expect(served.size).toBe(before + 1);
    proxy.heal();
    await until(() => served.size === before, 'the server to learn of it');
  });

  it('killAll resets all', async () => {
    const proxy = await proxyWith();
    const all = [new Client(proxy), new Client(proxy)];
    await Promise.all(all.map((client) => client.echo()));
    proxy.killAll();
    await until(() => all.every(({ closed }) => closed), 'the cuts');
    expect(all.map(({ error }) => error)).toEqual(['ECONNRESET', 'ECONNRESET']);
  });

  it('heal ends delay and throttle of what is open, and draws no more faults until told to', async () => {
    const proxy = await proxyWith({ faults: ['delay'], delayMs: [5000, 5000] });
    const client = new Client(proxy);
    client.socket.write('slow');
    await until(() => proxy.open === 1, 'the link');
    proxy.heal();
    await until(() => client.received === 4, 'the echo');
    await new Client(proxy).echo();
    expect(proxy.drawn).toEqual(
      new Map([
        ['delay', 1],
        ['none', 1],
      ]),
    );
    proxy.unsettle();
    new Client(proxy);
    await until(() => proxy.drawn.get('delay') === 2, 'the next fault');
  });
});

describe('its bounds', () => {
  it('the same seed draws the same faults', async () => {
    const drawnWith = async (seed: number): Promise<Map<Fault, number>> => {
      const proxy = await proxyWith({ faults: FAULTS, seed, strikeMs: [0, 10], stallMs: [0, 10] });
      for (let n = 1; n <= 30; n++) {
        new Client(proxy);
        await until(() => proxy.accepted === n, 'the connection');
      }
      return proxy.drawn;
    };
    const first = await drawnWith(7);
    expect(await drawnWith(7)).toEqual(first);
    expect(first.size).toBeGreaterThan(5);
    expect(await drawnWith(8)).not.toEqual(first);
  });

  it('more connections than the limit are reset', async () => {
    const proxy = await proxyWith({ limit: 1 });
    await new Client(proxy).echo();
    const second = new Client(proxy);
    await until(() => second.closed, 'the refusal');
    expect(second.error).toBe('ECONNRESET');
  });

  it('it closes by itself', async () => {
    const proxy = await proxyWith({ lifeMs: 100 });
    const client = new Client(proxy);
    await until(() => client.closed, 'its end');
    const late = new Client(proxy);
    await until(() => late.closed, 'the refusal');
    expect(late.error).toBe('ECONNREFUSED');
  });
});
