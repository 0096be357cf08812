// Puts a connection together from the options of the client: transports, ladder, states. Opens nothing, and knows no channel.

import { backoffDelay } from './backoff.js';
import { Connection, type ConnectionEvents } from './connection.js';
import { ConnectionMachine } from './connection-machine.js';
import { lastChoice, PLATFORM_ENVIRONMENT } from './environment.js';
import { Ladder } from './ladder.js';
import type { TrunklineOptions } from './options.js';
import { SYSTEM_CLOCK, SYSTEM_RANDOM } from './time.js';
import type { Wanted } from './transport.js';
import { makeTransports } from './transports.js';

export function makeConnection(
  url: string,
  options: TrunklineOptions,
  events: ConnectionEvents,
  wanted: () => readonly Wanted[],
): Connection {
  const { clock = SYSTEM_CLOCK, random = SYSTEM_RANDOM, minDelayMs = 500, maxDelayMs = 20_000 } = options;
  const { stableAfterMs = 10_000, requestTimeoutMs: timeoutMs = 10_000, pollSeconds = 25 } = options;
  const { transports: wished = ['websocket', 'sse', 'polling'], environment = PLATFORM_ENVIRONMENT } =
    options;
  const { fetch, webSocket, headers, storage, token } = options;
  const backoff = { minDelayMs, maxDelayMs, random };
  const transports = makeTransports({
    ...{ url, wished, webSocket, headers, fetch, clock, random, pollSeconds, timeoutMs },
    spacingMs: () => backoffDelay(1, backoff),
  });
  // Nothing to choose is nothing to remember: it would speak for other clients of the page.
  const several = transports.length > 1;
  const last = several ? lastChoice(url, storage) : undefined;
  const rung = transports.findIndex(({ name }) => name === last);
  const ladder = new Ladder(transports.length, rung);
  const machine = new ConnectionMachine({ ...backoff, stableAfterMs });
  return new Connection(
    { machine, clock, random, transports, ladder, environment, token, openTimeoutMs: timeoutMs, wanted },
    {
      ...events,
      state(change) {
        if (several && change.transport !== undefined) lastChoice(url, storage, change.transport);
        events.state(change);
      },
    },
  );
}
