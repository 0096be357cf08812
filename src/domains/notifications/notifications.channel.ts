// One channel for each user: only that user listens, only the backend speaks. Imports the public door only.

import { Channel, ChannelParam, OnPublish, OnSubscribe, Payload, Who, type Identity } from '../../index.js';
import { NotificationDto } from './notification.dto.js';
import { segmentOf } from './segment.js';

@Channel('notifications:{user}', {
  subscribe: 'authenticated',
  publish: 'backend',
  events: ['notification'],
  history: { size: 100, ttl: '7d' },
})
export class NotificationsChannel {
  /** Guards the history too. */
  @OnSubscribe()
  join(@Who() who: Identity, @ChannelParam('user') user: string): boolean {
    return who.user !== undefined && segmentOf(who.user) === user;
  }

  /** Lets pass what the DTO accepts, without what it does not know. */
  @OnPublish('notification')
  notification(@Payload() _notification: NotificationDto): void {}
}
