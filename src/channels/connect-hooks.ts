// Asks every `@OnConnect` method about a new session. Knows no session beyond its id and identity.

import { Inject, Injectable } from '@nestjs/common';
import { TrunklineError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import type { SessionHooks } from '../core/ports/application.js';
import { isChannelName } from '../protocol/names.js';
import { ChannelRequest } from './channel-request.js';
import { ChannelExplorer } from './channel.explorer.js';

const NONE: readonly string[] = [];

@Injectable()
export class ConnectHooks implements SessionHooks {
  constructor(@Inject(ChannelExplorer) private readonly explorer: ChannelExplorer) {}

  /** One after another, in the order of the modules; the first that refuses ends it. */
  async onConnect(session: { readonly id: string; readonly identity: Identity }): Promise<readonly string[]> {
    this.explorer.refresh();
    const { hooks } = this.explorer;
    if (hooks.length === 0) return NONE;
    const request = ChannelRequest.connect(session);
    const channels = new Set<string>();
    for (const { handler, source } of hooks) {
      for (const channel of channelsOf(await handler(request), source)) channels.add(channel);
    }
    return [...channels];
  }
}

function channelsOf(result: unknown, source: string): readonly string[] {
  if (result === false) throw new TrunklineError('forbidden', 'This session is not wanted.');
  if (result === undefined || result === null || result === true) return NONE;
  if (Array.isArray(result) && result.every(isChannelName)) return result;
  throw new TypeError(`${source} must return a list of channel names, or nothing.`);
}
