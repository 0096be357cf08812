// G21: members of a killed instance are gone within its time to live, all others stay, and a storm of comings and goings leaves no ghost.

import type { Instance } from '../cluster.js';
import { connect, disposeClients } from '../../support/ws-client.js';
import { until } from '../../support/wait.js';
import { membersAt, PresenceCrowd, PresenceWatcher } from '../presence-crowd.js';
import { spreadOf } from '../report.js';
import type { Scenario, Stage } from '../stage.js';

/** Milliseconds: a node's time to live, a beat of the one that sweeps, the grace of a leave, and two more beats. G21 promises 30 s. */
const GONE_MS = 10_000 + 2500 + 2000 + 5000;
/** A node that is only slow must not be taken for dead. Its last beat before the kill may have been late by what the machine adds. */
const LEAST_MS = 6000;
const SETTLE_MS = 15_000;
const VICTIMS = 20;
const USERS = 12;

export const presence: Scenario = {
  name: 'presence',
  promise: 'G21',
  about: 'kill -9 under present members, and a storm of comings and goings against a model',
  rules: {},
  family: 'people',
  long: { seconds: 0, rate: 0, channels: 5, count: 3000 },
  short: { seconds: 0, rate: 0, channels: 3, count: 400 },
  run: async (stage) => {
    const { cluster, channels, settings } = stage;
    const [victim, second, third] = cluster.instances as readonly [Instance, Instance, Instance];
    const [deadly = '', ...stormy] = channels;
    const watcher = await PresenceWatcher.open(third, channels);
    const crowd = new PresenceCrowd({
      channels: stormy,
      users: USERS,
      random: stage.random,
      pick: () => pickOf(stage),
    });
    try {
      const names = await settle(stage, { victim, home: second, channel: deadly });
      await sameEverywhere(stage, [second, third], deadly, [...names, 'watcher'].sort());
      const killedAt = performance.now();
      await victim.end('SIGKILL');
      stage.say(`killed ${victim.name} with ${VICTIMS} members`);
      const [gone] = await Promise.all([swept(stage, { watcher, killedAt }), crowd.storm(settings.count)]);
      await sameEverywhere(stage, [second, third], deadly, ['home-0', 'home-1', 'watcher']);
      const began = performance.now();
      for (const channel of stormy) {
        const expected = crowd.expected(channel);
        await sameEverywhere(stage, [second, third], channel, [...expected, 'watcher'].sort());
        await until(() => same(watcher.users(channel), expected), 'the watcher', SETTLE_MS).catch(() => {});
        const told = watcher.users(channel);
        stage.expect(
          same(told, expected),
          'G21',
          `Told of ${told.join()} in ${channel}, there are ${expected.join()}.`,
        );
      }
      stage.expect(
        watcher.faults.length === 0,
        'G21',
        `Told twice or never: ${watcher.faults.slice(0, 5).join(', ')}.`,
      );
      return {
        'gone after': spreadOf(gone),
        operations: settings.count,
        'settled ms': Math.round(performance.now() - began),
      };
    } finally {
      crowd.close();
      watcher.close();
      disposeClients();
      await cluster.mend();
    }
  },
};

function pickOf({ cluster, random }: Stage): Instance {
  const [, ...others] = cluster.instances as readonly [Instance, ...Instance[]];
  return others[random.below(others.length)] as Instance;
}

/** Members on the instance that will die, and two that stay elsewhere. */
async function settle(
  stage: Stage,
  { victim, home, channel }: { readonly victim: Instance; readonly home: Instance; readonly channel: string },
): Promise<readonly string[]> {
  const names = Array.from({ length: VICTIMS }, (_, at) => `victim-${at}`);
  const enter = async (instance: Instance, user: string): Promise<void> => {
    const client = await connect(instance.wsUrl, { token: instance.token(user) });
    await client.subscribe(channel);
  };
  await Promise.all([
    ...names.map((name) => enter(victim, name)),
    ...['home-0', 'home-1'].map((name) => enter(home, name)),
  ]);
  stage.say(`${VICTIMS} members on ${victim.name}, 2 on ${home.name}`);
  return [...names, 'home-0', 'home-1'];
}

/** Milliseconds after the kill at which the watcher was told of each leave. */
async function swept(
  stage: Stage,
  { watcher, killedAt }: { readonly watcher: PresenceWatcher; readonly killedAt: number },
): Promise<readonly number[]> {
  const limit = GONE_MS + stage.settings.slackMs;
  const least = LEAST_MS - stage.settings.slackMs;
  const gone = (): number[] =>
    watcher.leaves.filter(({ user }) => user.startsWith('victim')).map(({ at }) => at - killedAt);
  await until(() => gone().length >= VICTIMS, 'the leaves', limit).catch(() => {});
  const times = gone();
  stage.expect(
    times.length === VICTIMS,
    'G21',
    `${times.length} of ${VICTIMS} were told as gone in ${limit} ms.`,
  );
  stage.expect(
    Math.min(...times) >= least,
    'G21',
    `Gone after ${Math.min(...times)} ms: too soon to be sure.`,
  );
  const stayed = watcher.leaves.every(({ user }) => !user.startsWith('home'));
  stage.expect(stayed, 'G21', 'A member of a living instance was told as gone.');
  return times;
}

async function sameEverywhere(
  stage: Stage,
  instances: readonly Instance[],
  channel: string,
  expected: readonly string[],
): Promise<void> {
  for (const instance of instances) {
    let members: readonly string[] = [];
    const agreed = async (): Promise<boolean> =>
      same((members = await membersAt(instance, channel)), expected);
    await until(agreed, 'the members', SETTLE_MS).catch(() => {});
    const text = `${instance.name} says ${members.join()} are in ${channel}; there are ${expected.join()}.`;
    stage.expect(same(members, expected), 'G21', text);
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.join(' ') === other.join(' ');
}
