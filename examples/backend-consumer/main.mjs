// A service that consumes a feed: configuration, connection, signals. Exits with 1 when it cannot go on, for its supervisor to see.

import { Trunkline } from 'trunkline-client';
import { WebSocket } from 'ws';
import { Consumer } from './consumer.mjs';
import { Store } from './store.mjs';

const { FEED_URL = 'http://localhost:3000', FEED_KEY, FEED_CHANNEL, FEED_TRANSPORT } = process.env;
const { FEED_STATE = './state' } = process.env;

/** @param {string | undefined} value @param {string} name */
function required(value, name) {
  if (value === undefined || value === '') throw new Error(`${name} is not set.`);
  return value;
}

/**
 * One transport only, for networks that let no other through.
 * @param {string | undefined} name @returns {{ transports?: ('websocket' | 'sse' | 'polling')[] }}
 */
function transports(name) {
  if (name === undefined) return {};
  if (name === 'websocket' || name === 'sse' || name === 'polling') return { transports: [name] };
  throw new Error('FEED_TRANSPORT must be websocket, sse or polling.');
}

const trunkline = new Trunkline(FEED_URL, {
  token: required(FEED_KEY, 'FEED_KEY'),
  // With headers, even none, the key travels as `Authorization: Bearer`: a backend has no page whose address could hold it.
  headers: {},
  webSocket: WebSocket,
  ...transports(FEED_TRANSPORT),
});
const store = await Store.open(FEED_STATE);
const consumer = new Consumer(trunkline.channel(required(FEED_CHANNEL, 'FEED_CHANNEL')), store, fail);

/** @param {unknown} error @returns {never} */
function fail(error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

let stopping = false;

trunkline.on('state', ({ state, reason }) => {
  console.log(`${state}: ${reason}`);
  // The server said not to come back: revoked, for example.
  if (state === 'closed' && !stopping) fail(reason);
});
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
  process.on(signal, () => {
    if (stopping) process.exit(1);
    stopping = true;
    trunkline.close();
    consumer
      .stop()
      .then(() => store.close())
      .then(() => console.log('stopped'))
      .catch(fail);
  });
}

consumer
  .start()
  .then(() => console.log(`listening after offset ${store.position?.offset}`))
  .catch((/** @type {unknown} */ error) => {
    // Stopped before it had begun.
    if (!stopping) fail(error);
  });
