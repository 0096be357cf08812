// The page of notifications: the whole inbox of one person, and how to send oneself something. Knows no frame.

import type { StateChange } from 'trunkline-client';
import { copyLine, publishCommand } from '../copy-line.js';
import { h } from '../dom.js';
import { StatePill } from '../state-pill.js';
import type { Credential } from '../token.js';
import { Bell, markAllButton } from './bell.js';
import { channelOf, NotificationFeed } from './feed.js';
import { Inbox } from './inbox.js';
import { NoteList } from './note-list.js';
import { tryKey } from './try-key.js';

export interface NotificationsPageOptions {
  readonly credential: Credential;
  /** The server is one to try things on: it hands out tokens. */
  readonly development: boolean;
  /** The server does not take this person's token any more. */
  leave(cause: Error): void;
}

export class NotificationsPage {
  readonly element: HTMLElement;
  readonly bell: Bell;
  private readonly inbox: Inbox;
  private readonly list: NoteList;
  private readonly feed: NotificationFeed;
  private readonly pill = new StatePill(() => this.feed.connect());
  private readonly problem = h('div', { class: 'banner', role: 'alert', hidden: true });
  private readonly count = h('p', { class: 'notes-count' });
  private readonly bar: HTMLElement;
  private readonly offs: (() => void)[] = [];

  constructor(private readonly options: NotificationsPageOptions) {
    const { credential } = options;
    this.inbox = new Inbox(credential.user);
    this.bell = new Bell(this.inbox);
    this.bar = h(
      'div',
      { class: 'notes-bar' },
      this.count,
      markAllButton(this.inbox, () => this.list.focus()),
    );
    this.list = new NoteList({
      inbox: this.inbox,
      limit: 100,
      emptyText: 'Nothing yet. What a backend tells you appears here and rings the bell.',
    });
    this.element = this.layOut();
    this.offs.push(this.inbox.onChange(() => this.refresh()));
    this.refresh();
    this.feed = new NotificationFeed(credential, this.inbox, {
      state: (change) => this.showState(change),
      refused: (error) => this.refuse(error),
      settled: () => (this.list.element.dataset['settled'] = ''),
    });
  }

  dispose(): void {
    for (const off of this.offs) off();
    this.feed.close();
    this.pill.dispose();
    this.list.dispose();
    this.bell.dispose();
  }

  private layOut(): HTMLElement {
    const { user, name } = this.options.credential;
    const lead = h('p', { class: 'page-lead' }, 'For ', h('strong', {}, name), ' ');
    if (name !== user) lead.append(h('span', { class: 'user-id', 'data-testid': 'user-id' }, user));
    const head = h(
      'div',
      { class: 'page-head' },
      h('div', { class: 'page-heading' }, h('h1', { class: 'page-title' }, 'Notifications'), lead),
      this.pill.element,
    );
    return h(
      'main',
      { class: 'page' },
      head,
      this.problem,
      h(
        'section',
        { class: 'panel notes-panel', 'aria-label': 'All notifications' },
        this.bar,
        this.list.element,
      ),
      tryCard(user, this.options.development),
    );
  }

  private refresh(): void {
    const { unread } = this.inbox;
    this.bar.hidden = unread === 0;
    this.count.textContent = `${unread} unread`;
    document.title = `${unread > 0 ? `(${unread}) ` : ''}Notifications · Trunkline`;
  }

  private showState(change: StateChange): void {
    this.pill.show(change);
    if (change.state === 'closed')
      this.showProblem(`The server has ended this connection: ${change.reason}.`);
    else if (change.state === 'connected') this.problem.hidden = true;
  }

  private refuse(error: Error): void {
    if (error.name !== 'TrunklineError') return this.options.leave(error);
    this.showProblem(`The server does not give these notifications. ${error.message}`);
  }

  private showProblem(text: string): void {
    this.problem.textContent = text;
    this.problem.hidden = false;
  }
}

/** Only a backend may notify. In development the visitor is the backend too, with a key made up on this page. */
function tryCard(user: string, development: boolean): HTMLElement {
  const key = development ? tryKey() : '$API_KEY';
  const command = publishCommand(channelOf(user), {
    event: 'notification',
    data: { title: 'Your order has left', body: 'It should be with you on Friday.', url: '/prices' },
    credential: key,
  });
  const card = h('section', { class: 'panel hint', 'aria-labelledby': 'try-title' });
  card.append(h('h2', { class: 'hint-title', id: 'try-title' }, 'Send yourself one'));
  if (development) {
    card.append(
      h(
        'p',
        {},
        'Only a backend may notify, and a backend has an API key. Start the server with this one, or put yours into the command below:',
      ),
      copyLine('Command that starts the server with a key', `TRUNKLINE_API_KEYS=${key} npm start`),
      h('p', { class: 'hint-next' }, 'Then, in a second terminal:'),
    );
  } else {
    card.append(
      h(
        'p',
        {},
        'Only a backend may notify. With one of the keys in ',
        h('code', {}, 'TRUNKLINE_API_KEYS'),
        ' it calls:',
      ),
    );
  }
  card.append(copyLine('Command that sends a notification', command));
  return card;
}
