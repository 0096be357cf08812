// Publishes at an even rate in a thread of its own: its times are those of the servers, and not of a driver with thousands of sockets at
// work. Knows no rule and no history. Plain JavaScript, because Node 20 starts no thread from TypeScript.
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

/** @import { Answer } from './ledger.js' */
/** @import { Probed, ProbeData } from './probe.js' */

const { urls, channels, apiKey, everyMs, patienceMs, firstOp } = /** @type {ProbeData} */ (workerData);
const agent = new Agent({ keepAlive: true, timeout: 1000 });
const pending = new Set();
let op = firstOp;

/** Milliseconds of the clock that all threads share. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** @param {string} url @param {string} channel @returns {Promise<Probed['answer']>} undefined when there was none */
function publish(url, channel) {
  const body = JSON.stringify({ event: 'n', data: op });
  return new Promise((resolve) => {
    const call = request(`${url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'content-length': body.length,
      },
    });
    const timer = setTimeout(() => call.destroy(), patienceMs);
    call.once('close', () => clearTimeout(timer));
    call.once('error', () => resolve(undefined));
    call.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      response.once('error', () => resolve(undefined));
      response.once('end', () => {
        const said = /** @type {Answer & { code: string }} */ (JSON.parse(text));
        resolve(response.statusCode === 201 ? said : said.code);
      });
    });
    call.end(body);
  });
}

async function one() {
  const at = op;
  const channel = /** @type {string} */ (channels[at % channels.length]);
  const sentAt = now();
  const sent = publish(/** @type {string} */ (urls[at % urls.length]), channel);
  op++;
  pending.add(sent);
  const answer = await sent;
  pending.delete(sent);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  parentPort?.postMessage(/** @satisfies {Probed} */ ({ op: at, channel, sentAt, answer, t: now() }));
}

const timer = setInterval(() => void one(), everyMs);

async function stop() {
  clearInterval(timer);
  while (pending.size > 0) await Promise.all(pending);
  agent.destroy();
  parentPort?.close();
}

parentPort?.once('message', () => void stop());
