// One publish over REST, on connections that are kept: a call of `fetch` costs the driver four times as much. Knows no retry.

import { Agent, request, type IncomingMessage } from 'node:http';
import { TEST_API_KEY } from '../support/server.js';
import type { Instance } from './cluster.js';
import type { Answer, Attempt } from './ledger.js';

/** Milliseconds after which an answer is no longer waited for. The server promises one within 5 s. */
export const PATIENCE_MS = 10_000;
/** Idle connections end here before the server ends them after 5 s: a publish that meets the end would be lost for no fault. */
const AGENT = new Agent({ keepAlive: true, timeout: 1000 });

/** Never rejects: undefined when nobody knows what became of it. `url` in place of the instance's own: the way through a proxy. */
export function postMessage(
  { url: direct }: Instance,
  { channel, op, key }: Attempt,
  url = direct,
): Promise<Answer | string | undefined> {
  const body = JSON.stringify({ event: 'n', data: op });
  return new Promise((resolve) => {
    const call = request(`${url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      agent: AGENT,
      headers: {
        authorization: `Bearer ${TEST_API_KEY}`,
        'content-type': 'application/json',
        'content-length': body.length,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
    });
    const timer = setTimeout(() => call.destroy(), PATIENCE_MS);
    call.once('close', () => clearTimeout(timer));
    call.once('error', () => resolve(undefined));
    // A reply that breaks off is no answer either.
    call.once('response', (response) => void answerOf(response).then(resolve, () => resolve(undefined)));
    call.end(body);
  });
}

async function answerOf(response: IncomingMessage): Promise<Answer | string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  const body = JSON.parse(text) as Answer & { readonly code: string };
  return response.statusCode === 201 ? body : body.code;
}
