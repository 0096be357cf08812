// Who is in a channel, for a component. Knows no wire.

import { useCallback, useEffect, useSyncExternalStore } from 'react';
import type { Member } from '../types.js';
import { channelStore, NO_MEMBERS } from './channel-store.js';
import { useTrunkline } from './provider.js';

/** The members in the order they came. The same array, and the same objects in it, until something has changed. */
export function usePresence(name: string): readonly Member[] {
  const client = useTrunkline();
  const store = channelStore(client, name);
  useEffect(() => void client.channel(name, { presence: true }), [client, name]);
  return useSyncExternalStore(
    useCallback((changed) => store.retain(changed, { limit: 0 }), [store]),
    () => store.members(),
    () => NO_MEMBERS,
  );
}
