// Notes one under the other, newest first, each with its read mark. Knows the inbox, no server.

import { h, icon } from '../dom.js';
import { clockTime, dayName, fullTime, sameDay } from '../time.js';
import type { Inbox } from './inbox.js';
import type { Note } from './note.js';

interface Row {
  readonly element: HTMLLIElement;
  refresh(read: boolean): void;
}

export interface NoteListOptions {
  readonly inbox: Inbox;
  /** The newest so many. */
  readonly limit: number;
  readonly emptyText: string;
}

export class NoteList {
  readonly element: HTMLElement;
  private readonly rows = new Map<string, Row>();
  private readonly list = h('ol', { class: 'notes', tabindex: '-1' });
  private readonly empty: HTMLElement;
  private readonly off: () => void;

  constructor(private readonly options: NoteListOptions) {
    this.empty = h('p', { class: 'notes-empty', 'data-testid': 'notes-empty' }, options.emptyText);
    this.element = h('div', { class: 'notes-frame' }, this.empty, this.list);
    this.off = options.inbox.onChange(({ arrived }) => this.render(new Set(arrived.map((note) => note.id))));
    this.render(new Set());
  }

  dispose(): void {
    this.off();
  }

  focus(): void {
    this.list.focus();
  }

  /** The button that was pressed is gone: the keyboard goes on at the next one, and at the list after the last. */
  private markRead(note: Note): void {
    const before = [...this.list.querySelectorAll<HTMLElement>('.note-read:not([hidden])')];
    const at = before.findIndex((button) => button === document.activeElement);
    this.options.inbox.markRead(note);
    if (at >= 0) (before[at + 1] ?? before[at - 1] ?? this.list).focus();
  }

  /** Rows stay the elements they are, so that focus and scroll position stay too. */
  private render(arrived: ReadonlySet<string>): void {
    const { inbox, limit } = this.options;
    const notes = inbox.notes.slice(0, limit);
    const shown = new Set(notes.map((note) => note.id));
    for (const [id, row] of this.rows) {
      if (shown.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    notes.forEach((note, index) => {
      const row = this.rowFor(note, arrived.has(note.id));
      row.refresh(inbox.isRead(note));
      if (this.list.children[index] !== row.element)
        this.list.insertBefore(row.element, this.list.children[index] ?? null);
    });
    this.empty.hidden = notes.length > 0;
  }

  private rowFor(note: Note, isNew: boolean): Row {
    const known = this.rows.get(note.id);
    if (known !== undefined) return known;
    const row = createRow(note, () => this.markRead(note));
    if (isNew) {
      row.element.classList.add('arrives');
      // Seen once: a panel that opens again does not play it again.
      row.element.addEventListener('animationend', () => row.element.classList.remove('arrives'));
    }
    this.rows.set(note.id, row);
    return row;
  }
}

function createRow(note: Note, markRead: () => void): Row {
  const unread = h('span', { class: 'visually-hidden' }, 'Unread. ');
  const button = h(
    'button',
    {
      type: 'button',
      class: 'icon-button note-read',
      'aria-label': `Mark as read: ${note.title}`,
      title: 'Mark as read',
      'data-testid': 'mark-read',
    },
    icon('check'),
  );
  button.addEventListener('click', markRead);
  const element = h(
    'li',
    { class: 'note', 'data-testid': 'note' },
    h('span', { class: 'note-dot', 'aria-hidden': 'true' }),
    h(
      'div',
      { class: 'note-main' },
      h(
        'p',
        { class: 'note-title', dir: 'auto', 'data-testid': 'note-title' },
        unread,
        titleOf(note, markRead),
      ),
      note.body === '' ? undefined : h('p', { class: 'note-body', dir: 'auto' }, note.body),
      footOf(note),
    ),
    button,
  );
  return {
    element,
    refresh(read) {
      element.dataset['read'] = String(read);
      unread.hidden = read;
      button.hidden = read;
    },
  };
}

function titleOf({ title, link }: Note, markRead: () => void): Node | string {
  if (link === undefined) return title;
  const away = link.host !== undefined;
  const anchor = h(
    'a',
    {
      href: link.href,
      target: away ? '_blank' : undefined,
      rel: away ? 'noopener noreferrer' : undefined,
      'data-testid': 'note-link',
    },
    title,
  );
  anchor.addEventListener('click', markRead);
  return anchor;
}

function footOf({ time, link }: Note): HTMLElement {
  const now = Date.now();
  const text = sameDay(time, now) ? clockTime(time) : `${dayName(time, now)}, ${clockTime(time)}`;
  return h(
    'p',
    { class: 'note-foot' },
    h('time', { datetime: new Date(time).toISOString(), title: fullTime(time) }, text),
    // Where a link leads has to be seen before it is followed.
    link?.host === undefined ? undefined : h('span', { class: 'note-host' }, link.host),
  );
}
