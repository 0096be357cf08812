// A channel for a component: subscribed while the component is there, its last messages, and what to call. Knows no wire.

import { useCallback, useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { Channel } from '../channel.js';
import type { Gap, MessageOf, Position } from '../types.js';
import { channelStore, emptyView, type ChannelView } from './channel-store.js';
import { useTrunkline } from './provider.js';

export interface UseChannelOptions<Events extends object> {
  /** Keep `channel.members`; `usePresence` asks for it by itself. */
  readonly presence?: boolean;
  /** Where to begin, when this component is the first on the channel. */
  readonly since?: Position;
  /** Messages kept in `messages`. 0: none, and no new drawing for each. Default 100. */
  readonly limit?: number;
  /** Every message, once, in order; also those that `limit` pushes out. Need not be the same function each time. */
  readonly onMessage?: (message: MessageOf<Events>) => void;
  readonly onGap?: (gap: Gap) => void;
}

export interface ChannelHook<Events extends object> extends ChannelView<Events> {
  readonly publish: Channel<Events>['publish'];
  readonly history: Channel<Events>['history'];
  readonly channel: Channel<Events>;
}

/**
 * Components on the same channel share one subscription and the messages of it. The last one to leave unsubscribes, unless the application
 * called `subscribe()` itself.
 */
export function useChannel<Events extends object = Record<string, unknown>>(
  name: string,
  { presence = false, since, limit = 100, onMessage, onGap }: UseChannelOptions<Events> = {},
): ChannelHook<Events> {
  const client = useTrunkline();
  const channel = client.channel<Events>(name);
  const store = channelStore<Events>(client, name);
  const latest = useRef({ since, onMessage, onGap });
  useInsertionEffect(() => {
    latest.current = { since, onMessage, onGap };
  });
  useEffect(() => {
    const offs = [
      channel.on('message', (message) => latest.current.onMessage?.(message)),
      channel.on('gap', (gap) => latest.current.onGap?.(gap)),
    ];
    return () => {
      for (const off of offs) off();
    };
  }, [channel]);
  useEffect(() => {
    if (presence) client.channel(name, { presence });
  }, [client, name, presence]);
  const view = useSyncExternalStore(
    useCallback((changed) => store.retain(changed, { limit, since: latest.current.since }), [store, limit]),
    () => store.view(limit),
    () => emptyView(),
  );
  const calls = useMemo(
    () => ({ publish: channel.publish.bind(channel), history: channel.history.bind(channel), channel }),
    [channel],
  );
  return useMemo(() => ({ ...view, ...calls }), [view, calls]);
}
