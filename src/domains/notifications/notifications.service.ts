// What the rest of an application calls to tell a user something. Knows no session: who is away finds it in the history.

import { Injectable } from '@nestjs/common';
import { RealtimeService, type PublishResult } from '../../index.js';
import { segmentOf } from './segment.js';

export interface Notification {
  /** 1 to 200 characters. */
  readonly title: string;
  /** At most 2000 characters. */
  readonly body?: string;
  /** Where it leads: an http(s) address, or a path on the site that shows it. */
  readonly url?: string;
}

export interface NotifyOptions {
  /** The same text within five minutes notifies once: `order-17-shipped`. */
  readonly once?: string;
}

@Injectable()
export class NotificationsService {
  constructor(private readonly realtime: RealtimeService) {}

  /** Resolves when it is kept, whether or not the user is there. Rejects with TrunklineError. */
  notify(user: string, notification: Notification, { once }: NotifyOptions = {}): Promise<PublishResult> {
    const options = once === undefined ? {} : { idempotencyKey: once };
    return this.realtime.publish(`notifications:${segmentOf(user)}`, 'notification', notification, options);
  }
}
