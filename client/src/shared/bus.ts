// What tabs and hub say to each other, and the BroadcastChannel they say it on. Knows no meaning of a frame.

import type { Off } from '../emitter.js';
import type { ClientFrame, ServerFrame } from '../transport.js';

/** `tab` names one session of one tab: a new one at each try. */
export type FromTab =
  | { readonly kind: 'hello'; readonly tab: string }
  | { readonly kind: 'ask'; readonly tab: string; readonly hub: string; readonly frame: ClientFrame };

/** `hub` names one leadership. Without a `tab`: to all. */
export type FromHub =
  /** A new hub listens. */
  | { readonly kind: 'here'; readonly hub: string }
  /** A `hello` was heard; `welcome` follows when there is a session. */
  | { readonly kind: 'heard'; readonly hub: string; readonly tab: string }
  | { readonly kind: 'frame'; readonly hub: string; readonly tab?: string; readonly frame: ServerFrame }
  | {
      readonly kind: 'end';
      readonly hub: string;
      readonly tab?: string;
      readonly code: number;
      readonly reason: string;
    }
  /** A session is open again: who waits may come now. */
  | { readonly kind: 'up'; readonly hub: string };

export interface Bus<Out, In> {
  post(message: Out): void;
  listen(listener: (message: In) => void): Off;
  close(): void;
}

export type TabBus = Bus<FromTab, FromHub>;
export type HubBus = Bus<FromHub, FromTab>;

const KINDS: Readonly<Record<'tab' | 'hub', ReadonlySet<string>>> = {
  tab: new Set<FromHub['kind']>(['here', 'heard', 'frame', 'end', 'up']),
  hub: new Set<FromTab['kind']>(['hello', 'ask']),
};

/** Each side has an object of its own, so a hub hears the tab it lives in like any other. */
export function openBus<Out, In extends { kind: string }>(name: string, side: 'tab' | 'hub'): Bus<Out, In> {
  const channel = new BroadcastChannel(name);
  const listeners = new Set<(message: In) => void>();
  channel.addEventListener('message', ({ data }: MessageEvent<In>) => {
    if (!KINDS[side].has(data.kind)) return;
    for (const listener of [...listeners]) listener(data);
  });
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel has none: it stays within the origin
    post: (message) => channel.postMessage(message),
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => channel.close(),
  };
}
