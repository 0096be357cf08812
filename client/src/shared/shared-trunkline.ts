// A client that shares one connection with the other tabs of its person. Beside where the frames go it is a client like any other.

import { claimsOf } from '../claims.js';
import type { TrunklineOptions } from '../options.js';
import { Trunkline } from '../trunkline.js';
import { socketUrl } from '../ws-transport.js';
import { Group } from './group.js';

export interface SharedTrunklineOptions extends TrunklineOptions {
  /**
   * Tabs with the same name, server and user share a connection. The user is the `sub` of the token; a page that logs in by cookie must
   * put the user's id here, or two people in one browser would share a session. Default: none.
   */
  readonly name?: string;
}

/** Remembers nothing: the transport of a tab is always the same. The real connection keeps its own choice. */
const NO_STORAGE = { getItem: () => null, setItem: () => {} };

/**
 * Use it in the place of `new Trunkline(…)`. One of the tabs leads and holds the connection, by its own `token` and options; when it closes
 * or stands still, another takes over and every tab goes on where it was. Where the platform has no Web Locks or no BroadcastChannel, as in
 * Node 20 and on pages without TLS, it is an ordinary client.
 */
export function sharedTrunkline(url: string, options: SharedTrunklineOptions = {}): Trunkline {
  const { name = '', ...own } = options;
  if (!canShare()) return new Trunkline(url, own);
  let group: { readonly user: string; readonly tabs: Group } | undefined;
  const leave = (): void => {
    group?.tabs.leave();
    group = undefined;
  };
  const groupOf = (user: string): Group => {
    if (group?.user === user) return group.tabs;
    leave();
    group = {
      user,
      tabs: new Group({ ...{ name: groupName(url, name, user), url, up }, connection: leading(user) }),
    };
    return group.tabs;
  };
  /** The token of a leader must be of the group's user still: his tab may have another by now. */
  const leading = (user: string): TrunklineOptions => {
    const { token } = own;
    if (typeof token !== 'function') return own;
    return {
      ...own,
      token: async () => {
        const text = await token();
        if (userOf(text) === user) return text;
        leave();
        throw new Error('Another user has logged in in this tab.');
      },
    };
  };
  const trunkline = new Trunkline(url, {
    ...own,
    storage: NO_STORAGE,
    transports: [{ name: 'shared', open: (token, events) => groupOf(userOf(token)).open(events) }],
  });
  const up = (): void => {
    if (trunkline.state === 'waiting') trunkline.connect();
  };
  trunkline.on('state', ({ state }) => {
    if (state === 'closed') leave();
  });
  return trunkline;
}

function canShare(): boolean {
  const { navigator, BroadcastChannel, document } = globalThis as Partial<typeof globalThis>;
  return navigator?.locks !== undefined && BroadcastChannel !== undefined && document !== undefined;
}

function userOf(token: string | undefined): string {
  return claimsOf(token)?.sub ?? '';
}

/** JSON, so that no name can look like two. */
function groupName(url: string, name: string, user: string): string {
  return `trunkline ${JSON.stringify([socketUrl(url), name, user])}`;
}
