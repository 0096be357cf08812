// From where a request comes: what the limits count, whatever a client writes into X-Forwarded-For.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { NestExpressApplication } from '@nestjs/platform-express';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Addresses, countedKey, isNetwork, normalAddress } from '../../src/limits/address.js';
import { useClientAddress } from '../../src/limits/client-address.js';

const TRUSTED = ['10.0.0.0/8', '192.0.2.7', '2001:db8:ffff::/48'];
const addresses = new Addresses(TRUSTED);

function from(peer: string | undefined, chain?: string | string[], of = addresses): string {
  const headers = chain === undefined ? {} : { 'x-forwarded-for': chain as string };
  return of.of({ headers, socket: { remoteAddress: peer } });
}

const trusted = fc.oneof(
  fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `10.${parts.join('.')}`),
  fc.constant('192.0.2.7'),
  fc.nat(0xffff).map((group) => `2001:db8:ffff::${group.toString(16)}`),
);
const outside = fc.oneof(
  fc.ipV4().filter((text) => !text.startsWith('10.') && text !== '192.0.2.7'),
  fc.ipV6().filter((text) => {
    const normal = normalAddress(text);
    return normal !== undefined && normal.includes(':') && !normal.startsWith('2001:db8:ffff:');
  }),
);
/** What a client may write: addresses, lists, and things that are no address. */
const written = fc.oneof(
  trusted,
  outside,
  fc.string({ maxLength: 30 }),
  fc.constantFrom(
    '',
    ',',
    'unknown',
    '_hidden',
    '127.0.0.1',
    '::1',
    '0.0.0.0',
    '10.0.0.1:99',
    '[::1]:1',
    ' , ,',
  ),
);
const spoofed = fc.array(written, { maxLength: 6 }).map((parts) => parts.join(','));

describe('the address that is counted', () => {
  it('is the peer, whatever the peer writes, unless the peer is trusted', () => {
    fc.assert(
      fc.property(outside, spoofed, (peer, chain) => {
        expect(from(peer, chain)).toBe(normalAddress(peer));
      }),
      { numRuns: 2000 },
    );
  });

  it('is what the first trusted proxy saw, whatever stands to the left of it', () => {
    fc.assert(
      fc.property(
        outside,
        spoofed,
        fc.array(trusted, { minLength: 1, maxLength: 4 }),
        (client, chain, [peer = '', ...proxies]) => {
          const right = [client, ...proxies].join(', ');
          expect(from(peer, right)).toBe(normalAddress(client));
          expect(from(peer, `${chain},${right}`)).toBe(normalAddress(client));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never changes by what the client adds: it takes another trusted hop', () => {
    fc.assert(
      fc.property(outside, spoofed, spoofed, trusted, (client, one, two, peer) => {
        expect(from(peer, `${one},${client}`)).toBe(from(peer, `${two},${client}`));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the left-most one when all are trusted, and the proxy itself when it says nothing', () => {
    expect(from('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
    expect(from('10.0.0.1')).toBe('10.0.0.1');
    expect(from('10.0.0.1', '')).toBe('10.0.0.1');
  });

  it('is the proxy that wrote something that is no address', () => {
    for (const entry of ['unknown', '', '1.2.3', '1.2.3.4.5', '::g', '<script>', '1.2.3.4, '])
      expect(from('10.0.0.1', `8.8.8.8, ${entry}`)).toBe('10.0.0.1');
    expect(from('10.0.0.1', '8.8.8.8, nonsense, 10.0.0.2')).toBe('10.0.0.2');
  });

  it('is read with a port, in brackets, over several headers', () => {
    expect(from('10.0.0.1', '8.8.8.8:4711')).toBe('8.8.8.8');
    expect(from('10.0.0.1', '[2001:db8::1]:4711')).toBe('2001:db8:0:0:0:0:0:1');
    expect(from('10.0.0.1', ['9.9.9.9', '8.8.8.8'])).toBe('8.8.8.8');
  });

  it('is IPv4 when it comes mapped into IPv6, as a peer and as a trusted network', () => {
    expect(from('::ffff:8.8.8.8')).toBe('8.8.8.8');
    expect(from('::ffff:10.1.2.3', '::ffff:0808:0808')).toBe('8.8.8.8');
    const mapped = new Addresses(['::ffff:192.0.2.1']);
    expect(from('192.0.2.1', '8.8.8.8', mapped)).toBe('8.8.8.8');
  });

  it('is not taken from `Forwarded`', () => {
    const headers = { forwarded: 'for=8.8.8.8' };
    expect(addresses.of({ headers, socket: { remoteAddress: '10.0.0.1' } })).toBe('10.0.0.1');
  });

  it('is one word for sockets that are gone', () => {
    expect(from(undefined, '8.8.8.8')).toBe('unknown');
  });

  it('is found in a header of 16 KiB without reading all of it', () => {
    const chain = `${'1.1.1.1,'.repeat(2000)}8.8.8.8`;
    const start = performance.now();
    for (let i = 0; i < 1000; i++) expect(from('10.0.0.1', chain)).toBe('8.8.8.8');
    // Parsing every entry takes seconds.
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('tells once of a near proxy that nobody has named, and never of a client from outside', () => {
    const told: string[] = [];
    const none = new Addresses([], (proxy) => told.push(proxy));
    from('8.8.8.8', '1.1.1.1', none);
    from('127.0.0.1', undefined, none);
    expect(told).toEqual([]);
    from('172.16.3.4', '1.1.1.1', none);
    expect(told).toEqual(['172.16.3.4']);
  });
});

describe('the key of an address', () => {
  it('is one for all of a /64 of IPv6, and another for the next', () => {
    const group = fc.nat(0xffff);
    fc.assert(
      fc.property(
        fc.tuple(group, group, group, group),
        fc.array(group, { minLength: 8, maxLength: 8 }),
        (net, hosts) => {
          const write = (rest: readonly number[]): string =>
            [...net, ...rest].map((part) => part.toString(16)).join(':');
          const [one, two] = [write(hosts.slice(0, 4)), write(hosts.slice(4))].map((text) =>
            normalAddress(text),
          );
          // Mapped IPv4 is IPv4.
          fc.pre(one?.includes(':') === true && two?.includes(':') === true);
          expect(countedKey(one ?? '')).toBe(countedKey(two ?? ''));
          const other = normalAddress(
            [...net.slice(0, 3), (net[3] + 1) & 0xffff, ...hosts.slice(0, 4)]
              .map((part) => part.toString(16))
              .join(':'),
          );
          expect(countedKey(other ?? '')).not.toBe(countedKey(one ?? ''));
        },
      ),
    );
  });

  it('is the same for every way to write an address', () => {
    const ways = [
      '2001:db8::1',
      '2001:0DB8:0:0::1',
      '2001:db8:0:0:0:0:0:1',
      '2001:db8::1%eth0',
      '2001:db8::0.0.0.1',
    ];
    expect(new Set(ways.map((way) => normalAddress(way)))).toEqual(new Set(['2001:db8:0:0:0:0:0:1']));
    expect(countedKey(normalAddress('2001:db8::1') ?? '')).toBe('2001:db8:0:0::/64');
  });

  it('of IPv4 is the address', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(countedKey(normalAddress(text) ?? '')).toBe(text);
      }),
    );
  });

  it('of every IPv6 address that there is exists', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const normal = normalAddress(text);
        expect(normal).toBeDefined();
        expect(normalAddress(normal ?? '')).toBe(normal);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a trusted proxy', () => {
  it.each(['10.0.0.1', '10.0.0.0/8', '::1', 'fc00::/7', '2001:db8::/64', '192.0.2.1/32'])(
    'may be %s',
    (text) => {
      expect(isNetwork(text)).toBe(true);
    },
  );

  it.each([
    '',
    'proxy',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::/0',
    '::/129',
    '10.0.0.0/',
    '10.0.0/8',
    '1.2.3.4/8/8',
    'fe80::1%eth0',
    '10.0.0.0/ 8',
  ])('may not be "%s"', (text) => {
    expect(isNetwork(text)).toBe(false);
  });
});

describe('request.ip', () => {
  let url = '';
  let close = (): void => {};
  beforeAll(async () => {
    const app = express();
    useClientAddress({
      get: () => new Addresses(['127.0.0.1', '10.0.0.0/8']),
      set: app.set.bind(app),
      use: app.use.bind(app),
    } as unknown as NestExpressApplication);
    app.get('/', (request, response) => void response.json({ ip: request.ip, ips: request.ips }));
    const server = app.listen(0, '127.0.0.1');
    close = () => void server.close();
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => close());

  it.each([
    [undefined, '127.0.0.1'],
    ['8.8.8.8', '8.8.8.8'],
    ['1.1.1.1, 8.8.8.8', '8.8.8.8'],
    ['1.1.1.1, 8.8.8.8, 10.0.0.9', '8.8.8.8'],
    ['10.0.0.8, 10.0.0.9', '10.0.0.8'],
    ['nonsense', '127.0.0.1'],
    ['::ffff:8.8.8.8', '8.8.8.8'],
  ])('of a chain "%s" is %s, as the limits count it', async (chain, ip) => {
    const response = await fetch(url, chain === undefined ? {} : { headers: { 'X-Forwarded-For': chain } });
    expect(((await response.json()) as { ip: string }).ip).toBe(ip);
  });
});
