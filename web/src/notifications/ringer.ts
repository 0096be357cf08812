// The bell of the other pages: inbox, feed and bell of one person in one piece. It hides where the server has no notifications.

import type { Credential } from '../token.js';
import { Bell } from './bell.js';
import { NotificationFeed } from './feed.js';
import { Inbox } from './inbox.js';

export class Ringer {
  readonly bell: Bell;
  private readonly feed: NotificationFeed;

  constructor(credential: Pick<Credential, 'user' | 'token'>) {
    const inbox = new Inbox(credential.user);
    this.bell = new Bell(inbox);
    this.bell.element.hidden = true;
    this.feed = new NotificationFeed(credential, inbox, {
      state: () => undefined,
      refused: () => (this.bell.element.hidden = true),
      settled: () => (this.bell.element.hidden = false),
    });
  }

  dispose(): void {
    this.feed.close();
    this.bell.dispose();
  }
}
