// One row of the message list: a message with its author, time and fate, or a line about the room. Knows no server.

import { avatar } from './avatar.js';
import { h, icon } from './dom.js';
import { hueOf } from './names.js';
import { clockTime, dayName, fullTime } from './time.js';
import type { Entry, LineEntry, MessageEntry } from './timeline.js';

export interface RowActions {
  retry(entry: MessageEntry): void;
  discard(entry: MessageEntry): void;
}

export interface Row {
  readonly element: HTMLLIElement;
  /** How the row stands to the one before it. */
  place(position: { readonly day: boolean; readonly continues: boolean }): void;
  /** Shows what became of an own message; `note` is the sentence under one that waits or has failed. */
  refresh(note?: string): void;
}

export function createRow(entry: Entry, actions: RowActions): Row {
  return entry.kind === 'message' ? createMessageRow(entry, actions) : createLineRow(entry);
}

function daySeparator(time: number): HTMLDivElement {
  return h(
    'div',
    { class: 'day', hidden: true },
    h('span', { class: 'day-name' }, dayName(time, Date.now())),
  );
}

function timeOf(time: number): HTMLTimeElement {
  return h(
    'time',
    { class: 'time', datetime: new Date(time).toISOString(), title: fullTime(time) },
    clockTime(time),
  );
}

function createLineRow(entry: LineEntry): Row {
  const day = daySeparator(entry.time);
  const text = h('p', { class: `line line-${entry.kind}`, 'data-testid': entry.kind });
  if (entry.kind === 'gap') text.append(icon('alert'));
  text.append(h('span', { class: 'line-text' }, entry.text), timeOf(entry.time));
  return {
    element: h('li', { class: 'row row-line' }, day, text),
    place: (position) => void (day.hidden = !position.day),
    refresh: () => undefined,
  };
}

function createMessageRow(entry: MessageEntry, actions: RowActions): Row {
  const day = daySeparator(entry.time);
  const author = h('span', { class: 'author', 'data-testid': 'message-author' }, entry.name);
  author.style.setProperty('--hue', String(hueOf(entry.user)));
  const text = h('p', { class: 'bubble', dir: 'auto', 'data-testid': 'message-text' }, entry.text);
  const fate = h('div', { class: 'fate' });
  const element = h(
    'li',
    { class: entry.own ? 'row row-message own' : 'row row-message', 'data-testid': 'message' },
    day,
    h(
      'div',
      { class: 'message' },
      entry.own ? undefined : avatar(entry.user, entry.name),
      h('div', { class: 'body' }, h('div', { class: 'head' }, author, timeOf(entry.time)), text, fate),
    ),
  );
  return {
    element,
    place(position) {
      day.hidden = !position.day;
      element.classList.toggle('continues', position.continues);
    },
    refresh(note) {
      element.dataset['status'] = entry.status;
      fate.replaceChildren(...fateOf(entry, actions, note));
    },
  };
}

function fateOf(entry: MessageEntry, actions: RowActions, note: string | undefined): Node[] {
  if (entry.status === 'sent') return [];
  if (entry.status === 'pending') return [waiting(note ?? 'Sending…')];
  const retry = h('button', { type: 'button', class: 'link', 'data-testid': 'retry' }, 'Try again');
  const discard = h('button', { type: 'button', class: 'link quiet', 'data-testid': 'discard' }, 'Discard');
  retry.addEventListener('click', () => actions.retry(entry));
  discard.addEventListener('click', () => actions.discard(entry));
  const sentence = h('span', { class: 'fate-failed', role: 'alert' }, icon('alert'), note ?? 'Not sent.');
  return [sentence, retry, discard];
}

/** Beside the bubble, so that nothing moves when the message is through a moment later. */
function waiting(note: string): HTMLSpanElement {
  return h(
    'span',
    { class: 'fate-pending', title: note },
    icon('clock'),
    h('span', { class: 'visually-hidden' }, note),
  );
}
