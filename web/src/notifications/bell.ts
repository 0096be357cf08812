// The bell: a badge with the number of unread notes, a panel with the latest, a word to screen readers when one comes.
// Knows the inbox, no server.

import { h, icon } from '../dom.js';
import type { Inbox, InboxChange } from './inbox.js';
import { NoteList } from './note-list.js';

const PANEL_NOTES = 8;
const MOST_ON_BADGE = 99;
/** Several that were missed come together: they are told in one sentence. */
const TOGETHER_MS = 200;

export class Bell {
  readonly element: HTMLElement;
  private readonly badge = h('span', { class: 'bell-badge', 'aria-hidden': 'true', 'data-testid': 'badge' });
  private readonly button: HTMLButtonElement;
  private readonly allRead: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private readonly list: NoteList;
  private readonly spoken = h('span', {
    class: 'visually-hidden',
    role: 'status',
    'data-testid': 'bell-announcement',
  });
  private readonly off: () => void;
  private announceTimer: number | undefined;
  private unannounced = 0;
  private readonly onPointer = (event: PointerEvent): void => {
    if (event.target instanceof Node && !this.element.contains(event.target)) this.setOpen(false);
  };

  constructor(private readonly inbox: Inbox) {
    this.button = h(
      'button',
      {
        type: 'button',
        class: 'icon-button bell-button',
        'aria-expanded': 'false',
        'aria-controls': 'bell-panel',
        'data-testid': 'bell',
      },
      icon('bell'),
      this.badge,
    );
    this.list = new NoteList({ inbox, limit: PANEL_NOTES, emptyText: 'Nothing yet. New ones ring here.' });
    this.allRead = markAllButton(inbox, () => this.panel.focus());
    this.panel = this.createPanel();
    this.element = h('div', { class: 'bell' }, this.button, this.panel, this.spoken);
    this.off = inbox.onChange((change) => this.refresh(change));
    this.listen();
    this.refresh({ arrived: [] });
  }

  dispose(): void {
    this.off();
    this.list.dispose();
    window.clearTimeout(this.announceTimer);
    document.removeEventListener('pointerdown', this.onPointer);
  }

  private createPanel(): HTMLElement {
    return h(
      'section',
      {
        class: 'bell-panel',
        id: 'bell-panel',
        'aria-label': 'Latest notifications',
        hidden: true,
        tabindex: '-1',
      },
      h('div', { class: 'bell-head' }, h('h2', { class: 'bell-title' }, 'Notifications'), this.allRead),
      this.list.element,
      h('p', { class: 'bell-foot' }, h('a', { href: './notifications' }, 'See all')),
    );
  }

  private listen(): void {
    this.button.addEventListener('click', () => this.setOpen(this.panel.hidden !== false));
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.panel.hidden) return;
      this.setOpen(false);
      this.button.focus();
    });
    // With the Tab key out of the panel: it would cover what has the focus now.
    this.element.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !this.element.contains(relatedTarget)) this.setOpen(false);
    });
    document.addEventListener('pointerdown', this.onPointer);
  }

  private setOpen(open: boolean): void {
    this.panel.hidden = !open;
    this.button.setAttribute('aria-expanded', String(open));
    if (open) this.panel.focus();
  }

  private refresh({ arrived }: InboxChange): void {
    const { unread } = this.inbox;
    this.badge.textContent = unread > MOST_ON_BADGE ? `${MOST_ON_BADGE}+` : String(unread);
    this.badge.hidden = unread === 0;
    this.allRead.hidden = unread === 0;
    this.button.setAttribute(
      'aria-label',
      unread === 0 ? 'Notifications' : `Notifications, ${unread} unread`,
    );
    if (arrived.length > 0) this.ring(arrived.length, arrived[0]?.title ?? '');
  }

  private ring(count: number, title: string): void {
    this.unannounced += count;
    window.clearTimeout(this.announceTimer);
    this.announceTimer = window.setTimeout(() => {
      this.spoken.textContent =
        this.unannounced === 1 ? `New notification: ${title}` : `${this.unannounced} new notifications`;
      this.unannounced = 0;
      this.swing();
    }, TOGETHER_MS);
  }

  private swing(): void {
    this.element.classList.remove('rings');
    // Read, so that the browser sees the class gone before it comes back: the animation starts anew.
    void this.element.offsetWidth;
    this.element.classList.add('rings');
  }
}

/** The button hides when nothing is left to mark: `moveFocus` says where the keyboard goes on. */
export function markAllButton(inbox: Inbox, moveFocus: () => void): HTMLButtonElement {
  const button = h(
    'button',
    { type: 'button', class: 'link mark-all', 'data-testid': 'mark-all' },
    'Mark all as read',
  );
  button.addEventListener('click', () => {
    inbox.markAllRead();
    moveFocus();
  });
  return button;
}
