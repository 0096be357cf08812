// Hands the application's one client to the hooks below it. Neither opens nor closes it: its life is the application's matter.

import { createContext, createElement, useContext, type ReactElement, type ReactNode } from 'react';
import type { Trunkline } from '../trunkline.js';

const ClientContext = createContext<Trunkline | undefined>(undefined);

export interface TrunklineProviderProps {
  /** Made once, outside of components. */
  readonly client: Trunkline;
  readonly children?: ReactNode;
}

export function TrunklineProvider({ client, children }: TrunklineProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest `TrunklineProvider`. */
export function useTrunkline(): Trunkline {
  const client = useContext(ClientContext);
  if (client === undefined) throw new Error('There is no TrunklineProvider above this component.');
  return client;
}
