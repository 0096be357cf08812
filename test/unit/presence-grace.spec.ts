// Presence with its grace: a page reload is neither a leave nor a join, and no failure or race leaves a ghost or loses a member.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { memoryOptions } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import { TrunklineError } from '../../src/core/errors.js';
import type { PresenceEntry } from '../../src/core/ports/backplane.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { Presence } from '../../src/core/presence.js';
import { TestCluster } from '../support/core-node.js';
import { FakeClock } from '../support/fake-clock.js';
import { GatedBackplane } from '../support/gated-backplane.js';
import { RecordingListener } from '../support/recording-listener.js';
import { SeededRandom } from '../support/seeded-random.js';

const CHANNEL = 'room';
const GRACE_MS = 2000;
const away = () => new TrunklineError('unavailable', 'The backplane is away.');

describe('presence with grace', () => {
  let clock: FakeClock;
  let backplane: GatedBackplane;
  let presence: Presence;
  let ear: RecordingListener;

  beforeEach(async () => {
    clock = new FakeClock();
    const store = new MemoryStore({ options: memoryOptions.parse({}), clock, random: new SeededRandom() });
    backplane = new GatedBackplane(new MemoryBackplane(store));
    presence = new Presence({ backplane, clock, logger: SILENT_LOGGER, graceMs: GRACE_MS });
    ear = new RecordingListener();
    await backplane.start(ear);
    await backplane.subscribe(CHANNEL);
  });
  afterEach(async () => {
    await presence.stop();
    await backplane.stop();
  });

  const entry = (session: string, user = 'ana'): PresenceEntry => {
    return { session, user, name: undefined, since: clock.now() };
  };
  const moves = () => ear.moves(CHANNEL);
  const users = async () => (await presence.members(CHANNEL)).map(({ user }) => user);

  it('tells a leave when the grace is over, not before', async () => {
    await presence.enter(CHANNEL, entry('s1'));
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS - 1);
    expect(moves()).toEqual(['join ana']);
    expect(await users()).toEqual(['ana']);
    await clock.advance(1);
    expect(moves()).toEqual(['join ana', 'leave ana']);
    expect(presence.pending).toBe(0);
  });

  it.each([
    ['the same session', 's1'],
    ['another session', 's2'],
  ])('tells nothing when the user comes back with %s', async (_which, session) => {
    await presence.enter(CHANNEL, entry('s1'));
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS / 2);
    await presence.enter(CHANNEL, entry(session));
    await clock.advance(10 * GRACE_MS);
    expect(moves()).toEqual(['join ana']);
    expect(await presence.members(CHANNEL)).toMatchObject([{ user: 'ana', connections: 1 }]);
  });

  it('tells a leave when the grace is over although the clock was set back by an hour meanwhile', async () => {
    await presence.enter(CHANNEL, entry('s1'));
    presence.exit(CHANNEL, entry('s1'));
    clock.setBack(3_600_000);
    await clock.advance(GRACE_MS);
    expect(moves()).toEqual(['join ana', 'leave ana']);
    await presence.enter(CHANNEL, entry('s2'));
    presence.exit(CHANNEL, entry('s2'));
    await clock.advance(GRACE_MS - 1);
    expect(moves()).toHaveLength(3);
    await clock.advance(1);
    expect(moves()).toHaveLength(4);
  });

  it('counts the grace from the last exit', async () => {
    await presence.enter(CHANNEL, entry('s1'));
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS / 2);
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS - 1);
    expect(moves()).toEqual(['join ana']);
    await clock.advance(1);
    expect(moves()).toEqual(['join ana', 'leave ana']);
  });

  it('gives each its own grace, on one timer', async () => {
    for (const user of ['ana', 'ben', 'cleo']) await presence.enter(CHANNEL, entry(user, user));
    const timers = clock.pending;
    for (const user of ['ana', 'ben', 'cleo']) {
      presence.exit(CHANNEL, entry(user, user));
      await clock.advance(500);
    }
    expect(clock.pending).toBe(timers + 1);
    await clock.advance(GRACE_MS - 1500);
    expect(await users()).toEqual(['ben', 'cleo']);
    await clock.advance(500);
    expect(await users()).toEqual(['cleo']);
    await clock.advance(500);
    expect(await users()).toEqual([]);
    expect(clock.pending).toBe(timers);
  });

  it('keeps channels apart', async () => {
    await backplane.subscribe('other');
    await presence.enter(CHANNEL, entry('s1'));
    await presence.enter('other', entry('s1'));
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS);
    expect(await users()).toEqual([]);
    expect(await presence.members('other')).toHaveLength(1);
  });

  it('tells all leaves at once when it stops', async () => {
    for (const user of ['ana', 'ben']) await presence.enter(CHANNEL, entry(user, user));
    for (const user of ['ana', 'ben']) presence.exit(CHANNEL, entry(user, user));
    await presence.stop();
    expect(moves()).toEqual(['join ana', 'join ben', 'leave ana', 'leave ben']);
    presence.exit(CHANNEL, entry('cleo', 'cleo'));
    expect(presence.pending).toBe(0);
    await clock.advance(GRACE_MS);
    expect(moves()).toHaveLength(4);
  });

  it('tries a leave again that could not be stored', async () => {
    await presence.enter(CHANNEL, entry('s1'));
    const gate = backplane.hold('exit', 'request');
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS);
    gate.fail(away());
    await clock.advance(2 * GRACE_MS);
    expect(moves()).toEqual(['join ana', 'leave ana']);
    expect(presence.pending).toBe(0);
  });

  it('keeps a session that came back while its leave was failing', async () => {
    await presence.enter(CHANNEL, entry('s1'));
    const gate = backplane.hold('exit', 'request');
    presence.exit(CHANNEL, entry('s1'));
    await clock.advance(GRACE_MS);
    await presence.enter(CHANNEL, entry('s1'));
    gate.fail(away());
    await clock.advance(10 * GRACE_MS);
    expect(moves()).toEqual(['join ana']);
    expect(await users()).toEqual(['ana']);
  });
});

describe('presence of sessions', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await TestCluster.start({ rules: { '*': { presence: true } } });
  });
  afterEach(async () => cluster.stop());

  const members = async () => cluster.store.members(CHANNEL);

  it('gives the members in the reply, and joins and leaves of others afterwards', async () => {
    const ana = await cluster.node.connect('ana');
    await ana.subscribe(CHANNEL, { presence: true });
    const ben = await cluster.node.connect('ben');
    const reply = await ben.ok('subscribe', { channel: CHANNEL, presence: true });
    expect(reply['members']).toMatchObject([{ user: 'ana' }, { user: 'ben' }]);
    await ben.ok('unsubscribe', { channel: CHANNEL });
    await cluster.clock.advance(GRACE_MS);
    expect(ana.pushes('join')).toMatchObject([{ channel: CHANNEL, member: { user: 'ben', connections: 1 } }]);
    expect(ana.pushes('leave')).toMatchObject([
      { channel: CHANNEL, member: { user: 'ben', connections: 0 } },
    ]);
    expect([...ben.pushes('join'), ...ben.pushes('leave')]).toEqual([]);
  });

  it('tells joins only to those who asked for them, and counts all', async () => {
    const ana = await cluster.node.connect('ana');
    const { members: none } = await ana.ok('subscribe', { channel: CHANNEL });
    expect(none).toBeUndefined();
    const ben = await cluster.node.connect('ben');
    await ben.subscribe(CHANNEL);
    await cluster.clock.settle();
    expect(ana.pushes('join')).toEqual([]);
    expect(await ana.ok('presence', { channel: CHANNEL })).toMatchObject({
      members: [{ user: 'ana' }, { user: 'ben' }],
    });
  });

  it('has no member for a stranger', async () => {
    const stranger = await cluster.node.connect();
    await stranger.subscribe(CHANNEL, { presence: true });
    expect(await members()).toEqual([]);
    stranger.session.closed(1006);
    await cluster.clock.advance(GRACE_MS);
    expect(cluster.node.core.presence.pending).toBe(0);
  });

  it('tells neither leave nor join over a reload', async () => {
    const ben = await cluster.node.connect('ben');
    await ben.subscribe(CHANNEL, { presence: true });
    const before = await cluster.node.connect('ana');
    await before.subscribe(CHANNEL);
    before.session.closed(1001);
    await cluster.clock.advance(GRACE_MS / 2);
    const after = await cluster.node.connect('ana');
    await after.subscribe(CHANNEL);
    await cluster.clock.advance(10 * GRACE_MS);
    expect(ben.pushes('join')).toHaveLength(1);
    expect(ben.pushes('leave')).toEqual([]);
    expect(await members()).toMatchObject([{ user: 'ben' }, { user: 'ana', connections: 1 }]);
  });

  it.each(['request', 'answer'] as const)(
    'leaves no ghost of a session that ends while it enters: %s',
    async (stage) => {
      const gate = cluster.node.backplane.hold('enter', stage);
      const ana = await cluster.node.connect('ana');
      ana.send('subscribe', { channel: CHANNEL });
      await cluster.clock.settle();
      expect(gate.waiting).toBe(1);
      ana.session.closed(1006);
      await cluster.clock.advance(GRACE_MS * 2);
      gate.open();
      await cluster.clock.advance(GRACE_MS * 2);
      expect(await members()).toEqual([]);
      expect(cluster.node.core.hub.channelCount).toBe(0);
    },
  );

  it('leaves no ghost of an enter whose answer was lost', async () => {
    const gate = cluster.node.backplane.hold('enter', 'answer');
    const ana = await cluster.node.connect('ana');
    const id = ana.send('subscribe', { channel: CHANNEL });
    await cluster.clock.settle();
    gate.fail(new TrunklineError('unknown_outcome', 'No answer came.'));
    await cluster.clock.advance(GRACE_MS * 2);
    expect(ana.reply(id)).toMatchObject({ event: 'error', data: { code: 'unknown_outcome' } });
    expect(await members()).toEqual([]);
  });
});
