// What counts as one address, and what the guard of connections does to a server, without any network.

import { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { LimitLedger, type LimitName } from '../../src/core/ports/limits.js';
import { Addresses } from '../../src/limits/address.js';
import { Connections } from '../../src/limits/connections.js';

class FakeSocket extends EventEmitter {
  destroyed = false;
  constructor(readonly remoteAddress: string | undefined) {
    super();
  }
  /** As a real one it says so in a later step. */
  destroy(): void {
    this.destroyed = true;
  }
}

function world({ most = 1, trusted = [] as string[], dryRun = [] as LimitName[] } = {}) {
  const ledger = new LimitLedger(dryRun);
  const connections = new Connections({ maxConnectionsPerAddress: most }, new Addresses(trusted), ledger);
  const server = new EventEmitter();
  const taken: unknown[] = [];
  server.on('connection', function (this: unknown, socket: unknown) {
    expect(this).toBe(server);
    taken.push(socket);
  });
  connections.guard(server as Server);
  const come = (address: string | undefined): FakeSocket => {
    const socket = new FakeSocket(address);
    server.emit('connection', socket);
    return socket;
  };
  return { connections, ledger, server, taken, come };
}

describe('the guard of connections', () => {
  it('hands on what may come, and nothing of what may not', () => {
    const { come, taken } = world();
    const [first, second] = [come('8.8.8.8'), come('8.8.8.8')];
    expect(taken).toEqual([first]);
    expect([first.destroyed, second.destroyed]).toEqual([false, true]);
  });

  it.each([
    ['the /64 of an IPv6 address', '2001:db8::1', '2001:db8::ffff:0:0:3'],
    ['IPv4 and IPv4 in IPv6', '8.8.8.8', '::ffff:8.8.8.8'],
  ])('counts %s as one', (_, one, other) => {
    const { come } = world();
    come(one);
    expect(come(other).destroyed).toBe(true);
  });

  it.each([
    ['two addresses', '8.8.8.8', '8.8.4.4'],
    ['two networks of IPv6', '2001:db8::1', '2001:db8:0:1::1'],
  ])('counts %s apart', (_, one, other) => {
    const { come } = world();
    come(one);
    expect(come(other).destroyed).toBe(false);
  });

  it('counts neither who has no address nor who is trusted, as IPv4 in IPv6 too', () => {
    const { come, connections } = world({ trusted: ['10.0.0.0/8'] });
    const all = [undefined, undefined, '10.1.2.3', '::ffff:10.1.2.3', '10.1.2.3'].map(come);
    expect(all.filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(connections.size).toBe(0);
  });

  it('remembers nobody who has left, also when a dry run let more come', () => {
    const { come, connections, ledger } = world({ most: 2, dryRun: ['connections'] });
    const all = Array.from({ length: 10 }, (_, at) => come(`8.8.8.${at % 2}`));
    expect([...ledger.rows()].find(({ limit }) => limit === 'connections')).toMatchObject({ spared: 6 });
    expect(connections.size).toBe(2);
    for (const one of all) one.emit('close');
    expect(connections.size).toBe(0);
    expect(come('8.8.8.0').destroyed).toBe(false);
  });

  it('takes nothing from the count for a connection that it refused', () => {
    const { come } = world();
    come('8.8.8.8');
    for (let i = 0; i < 3; i++) {
      const refused = come('8.8.8.8');
      expect(refused.destroyed).toBe(true);
      refused.emit('close');
    }
  });

  it('is not there without a limit', () => {
    const { come, connections } = world({ most: 0 });
    for (let i = 0; i < 10; i++) expect(come('8.8.8.8').listenerCount('close')).toBe(0);
    expect(connections.size).toBe(0);
  });
});
