// Contract of revocations: all nodes know the whole list, from their start on, and no fault makes them forget it.

import { describe, expect, it } from 'vitest';
import type { Revocation } from '../../src/core/ports/backplane.js';
import { RecordingListener } from '../support/recording-listener.js';
import { until } from '../support/wait.js';
import { ALL, type Bench, type NodeNumber } from './cluster.js';

/** Far enough for the clock of any adapter, virtual or not. */
const FAR = 4_000_000_000_000;
const NOW_SECONDS = 1_790_000_000;

function all(user: string, before = NOW_SECONDS, end = FAR): Revocation {
  return { user, tokenId: undefined, before, until: end };
}

function token(user: string, tokenId: string, end = FAR): Revocation {
  return { user, tokenId, before: 0, until: end };
}

/** What a listener knows at the end: the later moments of each user and token. */
function known({ revocations }: RecordingListener): ReadonlyMap<string, readonly [number, number]> {
  const map = new Map<string, readonly [number, number]>();
  for (const { user, tokenId, before, until: end } of revocations) {
    const name = tokenId === undefined ? user : `${user} ${tokenId}`;
    const [first, second] = map.get(name) ?? [0, 0];
    map.set(name, [Math.max(first, before), Math.max(second, end)]);
  }
  return map;
}

export function revocationsContract(bench: () => Bench): void {
  const revoke = (node: NodeNumber, revocation: Revocation): Promise<void> =>
    bench().node(node).revoke(revocation);

  /** What a node is told by the time its start has resolved. */
  async function afterStart(node: NodeNumber): Promise<ReadonlyMap<string, readonly [number, number]>> {
    const ear = new RecordingListener();
    await bench().node(node).stop();
    await bench().node(node).start(ear);
    return known(ear);
  }

  describe('revocations', () => {
    it('are told to every node, the one that gave them included', async () => {
      await revoke(1, all('ana'));
      await revoke(2, token('ben', 'jti-1'));
      for (const node of ALL) {
        const ear = bench().ears[node];
        await ear.until('both', () => known(ear).size === 2);
        expect(known(ear)).toEqual(
          new Map([
            ['ana', [NOW_SECONDS, FAR]],
            ['ben jti-1', [0, FAR]],
          ]),
        );
      }
    });

    it('hold on their own node when they are acknowledged', async () => {
      await revoke(0, all('ana'));
      expect(known(bench().ears[0]).get('ana')).toEqual([NOW_SECONDS, FAR]);
    });

    it('are all told to a node that starts later, before its start resolves', async () => {
      for (let n = 0; n < 30; n++)
        await revoke((n % 3) as NodeNumber, n % 2 === 0 ? all(`user ${n}`) : token('ana', `t${n}`));
      expect((await afterStart(2)).size).toBe(30);
    });

    it('of one user are one, with the later moments, in whatever order they come', async () => {
      await revoke(0, all('ana', 200, FAR));
      await revoke(1, all('ana', 100, FAR + 5000));
      await revoke(2, all('ana', 150, FAR));
      expect(await afterStart(1)).toEqual(new Map([['ana', [200, FAR + 5000]]]));
      for (const node of [0, 2] as const) {
        const ear = bench().ears[node];
        await ear.until('the later end', () => known(ear).get('ana')?.[1] === FAR + 5000);
        expect(known(ear).get('ana')).toEqual([200, FAR + 5000]);
      }
    });

    it('take any user and any token id', async () => {
      const odd = ['__proto__', 'constructor', 'tag', 'user:x', 'a b', '\u2028', 'ö', '{x}', ':', '-1 5 y'];
      for (const name of odd) {
        await revoke(0, all(name));
        await revoke(1, token(name, name));
      }
      const found = await afterStart(2);
      for (const name of odd) {
        expect(found.get(name), name).toEqual([NOW_SECONDS, FAR]);
        expect(found.get(`${name} ${name}`), name).toEqual([0, FAR]);
      }
      expect(found.size).toBe(2 * odd.length);
    });

    it('are not told any more when they have ended', async () => {
      const { cluster } = bench();
      const end = cluster.now() + 400;
      await revoke(0, all('ana', NOW_SECONDS, end));
      await revoke(0, all('ben'));
      await cluster.pass(500);
      expect([...(await afterStart(1)).keys()]).toEqual(['ben']);
      await revoke(2, all('cleo'));
      expect([...(await afterStart(0)).keys()].toSorted()).toEqual(['ben', 'cleo']);
    });

    it('come back from the nodes that know them when the store has lost everything', async () => {
      await revoke(0, all('ana'));
      await revoke(1, token('ben', 'jti-1'));
      for (const node of ALL)
        await bench().ears[node].until('both', () => known(bench().ears[node]).size === 2);
      await bench().cluster.faults.flush();
      await until(async () => (await afterStart(2)).size === 2, 'a fresh node to know both');
      await revoke(2, all('cleo'));
      await bench().ears[0].until('one more', () => known(bench().ears[0]).has('cleo'));
      expect((await afterStart(2)).size).toBe(3);
    });

    it('are refused with `unavailable` by a node that is stopped', async () => {
      await bench().node(2).stop();
      await expect(revoke(2, all('ana'))).rejects.toMatchObject({ code: 'unavailable' });
      expect((await afterStart(2)).size).toBe(0);
    });
  });
}
