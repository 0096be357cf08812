// The fake client of the simulator against the client library: the same faults, the same events, states and errors in the same order.

import { describe, expect, it } from 'vitest';
import { fakeStage, note, realStage, written, type Stage } from '../sim/redis/compare/stages.js';

type Scenario = (stage: Stage) => Promise<void>;

const is =
  ({ client }: Stage, status: string): (() => boolean) =>
  () =>
    client.status === status;

async function connected(stage: Stage): Promise<void> {
  await note(stage, 'connect', stage.client.connect());
  await stage.until(is(stage, 'ready'), 'the connection');
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'connects, asks, disconnects, and refuses what comes after': async (stage) => {
    await connected(stage);
    await note(stage, 'set', stage.client.set('a', '1'));
    await note(stage, 'get', stage.client.get('a'));
    await note(stage, 'connect again', stage.client.connect());
    stage.client.disconnect();
    await note(stage, 'just after', stage.client.get('a'));
    await stage.until(is(stage, 'end'), 'the end');
    await note(stage, 'later', stage.client.get('a'));
  },
  'does not find a server, and tries again until there is one': async (stage) => {
    await stage.kill();
    await note(stage, 'connect', stage.client.connect());
    await note(stage, 'get', stage.client.get('a'));
    await stage.begin();
    await stage.until(is(stage, 'ready'), 'the connection');
    await note(stage, 'get', stage.client.get('a'));
  },
  'gives up a try when it is disconnected': async (stage) => {
    await stage.kill();
    await note(stage, 'connect', stage.client.connect());
    await stage.until(is(stage, 'reconnecting'), 'the next try');
    stage.client.disconnect();
    await note(stage, 'get', stage.client.get('a'));
  },
  'tells what was sent and not answered when the server dies': async (stage) => {
    await connected(stage);
    stage.stall();
    const calls = [note(stage, 'one', stage.client.get('a')), note(stage, 'two', stage.client.set('a', '2'))];
    await stage.kill();
    await Promise.all(calls);
    await stage.until(() => stage.log.includes('error ECONNREFUSED'), 'a try in vain');
    await stage.begin();
    await stage.until(is(stage, 'ready'), 'the connection');
    await note(stage, 'get', stage.client.get('a'));
  },
  'ends a command after its time, and the connection after a longer silence': async (stage) => {
    await connected(stage);
    stage.stall();
    const call = note(stage, 'get', stage.client.get('a'));
    await stage.until(() => stage.log.length > 4, 'the end of the command');
    await call;
    await stage.until(() => stage.log.includes('close'), 'the end of the connection');
    stage.goOn();
    await stage.until(is(stage, 'ready'), 'the connection');
    await note(stage, 'get', stage.client.get('a'));
  },
  'takes an answer that comes late for what it is': async (stage) => {
    await connected(stage);
    await note(stage, 'set', stage.client.set('a', 'late'));
    stage.stall();
    const call = note(stage, 'get', stage.client.get('a'));
    await stage.until(() => stage.log.some((line) => line.startsWith('get')), 'the end of the command');
    await call;
    const next = note(stage, 'none', stage.client.get('none'));
    stage.goOn();
    await stage.until(() => stage.log.some((line) => line.startsWith('none')), 'the other answer');
    await next;
  },
  'is not connected to a server that stands still, and is when it goes on': async (stage) => {
    stage.stall();
    const call = note(stage, 'connect', stage.client.connect());
    await stage.until(() => stage.log.includes('close'), 'the end of the try');
    stage.goOn();
    await call;
    await stage.until(is(stage, 'ready'), 'the connection');
  },
  'connects anew when asked to, and answers what was sent before': async (stage) => {
    await connected(stage);
    await note(stage, 'set', stage.client.set('a', '3'));
    const before = note(stage, 'before', stage.client.get('a'));
    stage.client.disconnect(true);
    const after = note(stage, 'after', stage.client.get('a'));
    await Promise.all([before, after]);
    await stage.until(() => stage.log.includes('close') && stage.client.status === 'ready', 'the connection');
    await note(stage, 'get', stage.client.get('a'));
  },
  'ends a connection that does not agree to its end': async (stage) => {
    await connected(stage);
    stage.stall();
    const call = note(stage, 'get', stage.client.get('a'));
    stage.client.disconnect(true);
    await stage.until(() => stage.log.includes('close'), 'the end');
    await call;
    stage.goOn();
    await stage.until(is(stage, 'ready'), 'the connection');
  },
  'hears what it subscribed to, until its connection is cut': async (stage) => {
    await connected(stage);
    await note(stage, 'subscribe', stage.client.subscribe('x', 'y'));
    await stage.publish('y', 'ünï 🎉');
    await note(stage, 'ping', stage.client.ping());
    await note(stage, 'unsubscribe', stage.client.unsubscribe('y'));
    await stage.publish('y', 'not heard');
    await stage.publish('x', '');
    await note(stage, 'ping', stage.client.ping());
    await stage.cut();
    await stage.until(() => stage.log.includes('close') && stage.client.status === 'ready', 'the connection');
    await stage.publish('x', 'not heard');
    await note(stage, 'subscribe', stage.client.subscribe('x'));
    await stage.publish('x', 'heard again');
    await note(stage, 'ping', stage.client.ping());
  },
  'hears that a script is not known': async (stage) => {
    await connected(stage);
    await note(stage, 'evalsha', stage.client.evalsha('0'.repeat(40), 0));
  },
};

async function play(stage: Stage, scenario: Scenario): Promise<readonly string[]> {
  try {
    await scenario(stage);
    return written(stage);
  } finally {
    await stage.close();
  }
}

describe('a client of the fake Redis', () => {
  it.each(Object.entries(SCENARIOS))('%s', async (_name, scenario) => {
    const real = await play(await realStage(), scenario);
    expect(await play(fakeStage(), scenario)).toEqual(real);
    expect(real.length).toBeGreaterThan(2);
  });
});
