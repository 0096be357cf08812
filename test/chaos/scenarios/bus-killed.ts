// G12: the connections of the bus are killed under load, and publications vanish from it without a sign; the last one of a channel too.

import { readFile } from 'node:fs/promises';
import { RedisKeys } from '../../../src/backplanes/redis/redis.keys.js';
import { SSE_WIRE, WS_WIRE } from '../wires.js';
import { postMessage } from '../post.js';
import { spreadOf } from '../report.js';
import type { Scenario, Stage } from '../stage.js';

/** Milliseconds within which a reader must have what the bus lost, as G12 promises. */
const FOUND_MS = 10_000;
const KILL_EVERY_MS = 400;
const PREFIX = 'trunkline';
/** Channels in which nothing happens but the one publication that must not be missed. */
const QUIET = 6;

export const busKilled: Scenario = {
  name: 'bus-killed',
  promise: 'G12',
  about:
    'CLIENT KILL TYPE pubsub under load and around the last message of quiet channels; messages the bus swallows',
  rules: { noGaps: true },
  long: { seconds: 30, rate: 1000, channels: 30, count: 12 },
  short: { seconds: 3, rate: 300, channels: 16, count: 2 },
  run: async (stage) => {
    const { audience, channels, cluster, settings, load } = stage;
    const quiet = channels.slice(0, QUIET);
    await audience.gather();
    audience.addSdk('websocket', quiet, 'quiet-sdk-ws');
    audience.addSdk('sse', quiet, 'quiet-sdk-sse');
    audience.addRaw(WS_WIRE, quiet, 'quiet-raw-ws');
    audience.addRaw(SSE_WIRE, quiet, 'quiet-raw-sse');
    await Promise.all(
      audience.readers.filter(({ connections }) => connections === 0).map((reader) => reader.start()),
    );
    await load.start();
    const kill = (): Promise<unknown> => cluster.redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const end = performance.now() + settings.seconds * 1000;
    let kills = 0;
    while (performance.now() < end) {
      await kill();
      kills++;
      await stage.pause(KILL_EVERY_MS * (0.5 + stage.random.fraction()));
    }
    stage.say(`${kills} kills under load`);
    await load.stop();
    const found: number[] = [];
    for (let round = 0; round < settings.count; round++)
      found.push(...(await lastMessages(stage, quiet, kill)));
    stage.say('now the bus swallows messages and nobody is told');
    const swallowed = await swallowedMessages(stage, quiet);
    const rest = await stage.settle();
    return { kills, 'last message': spreadOf(found), swallowed: spreadOf(swallowed), 'rest ms': rest };
  },
};

/** One publication a channel in the very moment the connections of the bus are killed. Milliseconds until each reader had it. */
async function lastMessages(
  stage: Stage,
  quiet: readonly string[],
  kill: () => Promise<unknown>,
): Promise<readonly number[]> {
  const heard = hearing(stage, quiet);
  const killing = kill();
  for (const channel of quiet) await publish(stage, channel);
  await killing;
  return heard();
}

/** The script of the server, its bus turned to where nobody listens. */
async function swallowedMessages(stage: Stage, quiet: readonly string[]): Promise<readonly number[]> {
  const { cluster, ledger, history } = stage;
  const heard = hearing(stage, quiet);
  const keys = new RedisKeys(PREFIX);
  const script = await publishScript();
  for (const channel of quiet) {
    const attempt = { op: ledger.nextOp(), n: 1, channel, key: undefined, sentAt: history.now() };
    ledger.invoke(attempt);
    const id = `swallowed${attempt.op}`;
    const head = JSON.stringify({ i: id, e: 'n', t: Date.now() });
    const places = [keys.meta(channel), keys.stream(channel), `${PREFIX}:nobody`];
    const args = ['PUBLISH', 'E', '0', '1 100000 3600000 36000000 0', head, String(attempt.op)];
    const reply = String(await cluster.redis.ask('EVAL', script, places.length, ...places, ...args));
    const [epoch = '', offset] = reply.split(' ');
    ledger.settle(attempt, { epoch, offset: Number(offset), id, duplicate: false });
  }
  return heard();
}

function publishScript(): Promise<string> {
  return readFile(new URL('../../../src/backplanes/redis/lua/publish-n.lua', import.meta.url), 'utf8');
}

async function publish(stage: Stage, channel: string): Promise<void> {
  const { ledger, history, cluster, random } = stage;
  for (let n = 1, op = ledger.nextOp(); n < 50; n++) {
    const attempt = { op, n, channel, key: `last${op}`, sentAt: history.now() };
    ledger.invoke(attempt);
    const { kind } = ledger.settle(attempt, await postMessage(cluster.pick(random), attempt));
    if (kind === 'ok') return;
  }
}

/** From now on each reader of a quiet channel is timed until its next message; the answer comes when all have one, or in time. */
function hearing(stage: Stage, quiet: readonly string[]): () => Promise<readonly number[]> {
  const began = performance.now();
  const limit = FOUND_MS + stage.settings.slackMs;
  const times: number[] = [];
  const wanted = new Set<string>();
  for (const { track, channels } of stage.audience.readers) {
    for (const channel of channels) if (quiet.includes(channel)) wanted.add(`${track.name} ${channel}`);
    track.onMessage = (channel) => {
      if (wanted.delete(`${track.name} ${channel}`)) times.push(performance.now() - began);
    };
  }
  return async () => {
    while (wanted.size > 0 && performance.now() - began < limit) await stage.pause(10);
    stage.expect(wanted.size === 0, 'G12', `Not within ${limit} ms: ${[...wanted].slice(0, 5).join(', ')}.`);
    for (const { track } of stage.audience.readers) track.onMessage = undefined;
    return times;
  };
}
