// The message list: keeps rows in the timeline's order, keeps the newest in sight, tells screen readers what is new. Knows no server.

import { h, icon } from './dom.js';
import { createRow, type Row, type RowActions } from './message-row.js';
import { Timeline, type Entry, type MessageEntry } from './timeline.js';

/** Rows kept on the page; the oldest go first. */
const MAX_ROWS = 500;
/** Pixels from the end within which a reader counts as reading the newest. */
const NEAR_END = 80;

export class MessageList {
  readonly element: HTMLElement;
  readonly timeline = new Timeline();
  private readonly rows = new Map<Entry, Row>();
  private readonly list = h('ol', { class: 'rows' });
  private readonly scroller: HTMLElement;
  private readonly empty: HTMLElement;
  private readonly jump: HTMLButtonElement;
  private readonly jumpText = h('span');
  private readonly resize = new ResizeObserver(() => this.keepEnd());
  private atEnd = true;
  private unseen = 0;

  constructor(
    label: string,
    emptyNote: HTMLElement,
    private readonly actions: RowActions,
  ) {
    this.empty = emptyNote;
    this.empty.hidden = true;
    this.scroller = h(
      'div',
      { class: 'scroller', role: 'log', 'aria-live': 'polite', 'aria-label': label, tabindex: '0' },
      this.empty,
      this.list,
    );
    this.jump = h('button', { type: 'button', class: 'jump', hidden: true }, this.jumpText, icon('down'));
    this.element = h('div', { class: 'messages' }, this.scroller, this.jump);
    this.scroller.addEventListener('scroll', () => this.noteScroll(), { passive: true });
    this.jump.addEventListener('click', () => this.scrollToEnd('smooth'));
    this.resize.observe(this.scroller);
  }

  /** Old messages: shown without being read out. */
  addHistory(entries: readonly MessageEntry[]): void {
    this.scroller.setAttribute('aria-busy', 'true');
    this.scroller.setAttribute('aria-live', 'off');
    for (const entry of entries) this.insert(entry);
    this.keepEnd();
    requestAnimationFrame(() => {
      this.scroller.removeAttribute('aria-busy');
      this.scroller.setAttribute('aria-live', 'polite');
    });
  }

  add(entry: Entry): void {
    const wasAtEnd = this.atEnd;
    this.insert(entry);
    this.trim();
    if (wasAtEnd || (entry.kind === 'message' && entry.own)) this.scrollToEnd('auto');
    else if (entry.kind === 'message') this.showUnseen(this.unseen + 1);
  }

  /** Shows an own message's new status, in the place that its position gives it. */
  update(entry: MessageEntry, note?: string): void {
    const row = this.rows.get(entry);
    if (row === undefined) return;
    row.refresh(note);
    const from = this.timeline.remove(entry);
    const to = this.timeline.insert(entry);
    // A row is moved only when it must be: moving would make screen readers read it again.
    if (from !== to) this.list.insertBefore(row.element, this.list.children[to < from ? to : to + 1] ?? null);
    this.placeAround(Math.min(from, to), Math.max(from, to) + 1);
    this.keepEnd();
  }

  remove(entry: Entry): void {
    const index = this.timeline.remove(entry);
    this.rows.get(entry)?.element.remove();
    this.rows.delete(entry);
    this.placeAround(index, index);
    this.showEmpty();
  }

  /** Until the history is there, an empty list is only an unread one. */
  settleEmpty(): void {
    this.empty.dataset['settled'] = '';
    this.showEmpty();
  }

  dispose(): void {
    this.resize.disconnect();
  }

  private insert(entry: Entry): void {
    const row = createRow(entry, this.actions);
    row.refresh();
    this.rows.set(entry, row);
    const index = this.timeline.insert(entry);
    this.list.insertBefore(row.element, this.list.children[index] ?? null);
    this.placeAround(index, index + 1);
    this.showEmpty();
  }

  private placeAround(first: number, last: number): void {
    for (let i = Math.max(first, 0); i <= last; i++) {
      const entry = this.timeline.entries[i];
      if (entry === undefined) return;
      this.rows.get(entry)?.place({ day: this.timeline.startsDay(i), continues: this.timeline.continues(i) });
    }
  }

  private trim(): void {
    while (this.timeline.entries.length > MAX_ROWS) this.remove(this.timeline.entries[0] as Entry);
  }

  private showEmpty(): void {
    const settled = 'settled' in this.empty.dataset;
    this.empty.hidden = !settled || this.timeline.entries.some((entry) => entry.kind === 'message');
  }

  private noteScroll(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (this.atEnd) this.showUnseen(0);
  }

  private showUnseen(count: number): void {
    this.unseen = count;
    this.jump.hidden = count === 0;
    this.jumpText.textContent = count === 1 ? '1 new message' : `${count} new messages`;
  }

  private keepEnd(): void {
    if (this.atEnd) this.scrollToEnd('auto');
  }

  private scrollToEnd(behavior: ScrollBehavior): void {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: calm ? 'auto' : behavior });
    this.atEnd = true;
    this.showUnseen(0);
  }
}
