// The state of the connection for a component. Knows no transport.

import { useSyncExternalStore } from 'react';
import type { StateChange } from '../connection-machine.js';
import type { Off } from '../emitter.js';
import type { Trunkline } from '../trunkline.js';
import { useTrunkline } from './provider.js';

export interface ConnectionView extends StateChange {
  /** Who the server says this is; undefined for a stranger and while not connected. */
  readonly user: string | undefined;
}

const INITIAL: ConnectionView = { state: 'idle', reason: 'not started', user: undefined };

class ConnectionStore {
  #view: ConnectionView;
  readonly #users = new Set<() => void>();

  constructor(client: Trunkline) {
    const { state, reason, user, transport } = client;
    this.#view = { state, reason, user, ...(transport !== undefined && { transport }) };
    client.on('state', (change) => {
      this.#view = { ...change, user: client.user };
      for (const changed of [...this.#users]) changed();
    });
  }

  readonly view = (): ConnectionView => this.#view;

  readonly subscribe = (changed: () => void): Off => {
    const user = (): void => changed();
    this.#users.add(user);
    return () => void this.#users.delete(user);
  };
}

const stores = new WeakMap<Trunkline, ConnectionStore>();

function connectionStore(client: Trunkline): ConnectionStore {
  let store = stores.get(client);
  if (store === undefined) stores.set(client, (store = new ConnectionStore(client)));
  return store;
}

export function useConnection(): ConnectionView {
  const { subscribe, view } = connectionStore(useTrunkline());
  return useSyncExternalStore(subscribe, view, () => INITIAL);
}
