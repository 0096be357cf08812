// The ways a connection can be carried: the names people know them by, and how to use one of them only.

import type { TrunklineOptions } from 'trunkline-client';

export type TransportName = 'websocket' | 'sse' | 'polling';

export const TRANSPORT_TITLES: Readonly<Record<TransportName, string>> = {
  websocket: 'WebSocket',
  sse: 'SSE',
  polling: 'Long polling',
};

export const TRANSPORT_NAMES = Object.keys(TRANSPORT_TITLES) as readonly TransportName[];

/** Undefined stays undefined; a name that is not known here is shown as it is. */
export function transportTitle(name: string | undefined): string | undefined {
  const known = TRANSPORT_NAMES.find((candidate) => candidate === name);
  return known === undefined ? name : TRANSPORT_TITLES[known];
}

/** One transport and no other: what works here is not remembered for other pages. */
export function only(transport: TransportName): Pick<TrunklineOptions, 'transports'> {
  return { transports: [transport] };
}
