// The field one writes in: Enter sends, Shift+Enter breaks the line, a counter near the limit. Knows no server.

import { h, icon } from './dom.js';

/** UTF-16 units, the bound of the chat's `message` event. */
export const MAX_TEXT = 2000;
/** The counter appears when this much or less is left. */
const COUNTER_FROM = 200;
/** One note of typing in this time is enough: receivers show it for three seconds. */
const TYPING_EVERY_MS = 2000;

export interface ComposerActions {
  send(text: string): void;
  typing(): void;
}

export class Composer {
  readonly element: HTMLFormElement;
  private readonly field: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private readonly counter = h('span', { class: 'counter', id: 'composer-counter', hidden: true });
  private readonly notice = h('p', { class: 'notice', role: 'status' });
  private noticeTimer: number | undefined;
  private typedAt = -Infinity;

  constructor(private readonly actions: ComposerActions) {
    this.field = h('textarea', {
      id: 'composer-field',
      class: 'composer-field',
      rows: '1',
      placeholder: 'Write a message',
      enterkeyhint: 'send',
      dir: 'auto',
      'aria-describedby': 'composer-hint composer-counter',
      'data-testid': 'composer',
    });
    this.button = h(
      'button',
      { type: 'submit', class: 'send', 'aria-label': 'Send', 'data-testid': 'send' },
      icon('send'),
    );
    this.element = h(
      'form',
      { class: 'composer' },
      this.notice,
      h(
        'div',
        { class: 'composer-box' },
        h('label', { class: 'visually-hidden', for: 'composer-field' }, 'Message'),
        this.field,
        this.button,
      ),
      h('div', { class: 'composer-foot' }, hint(), this.counter),
    );
    this.listen();
    this.refresh();
  }

  focus(): void {
    this.field.focus();
  }

  /** Nothing can be written here, and the placeholder says so. */
  disable(placeholder: string): void {
    this.field.disabled = true;
    this.field.placeholder = placeholder;
    this.button.disabled = true;
  }

  /** A friendly line over the field that goes after a while. */
  showNotice(text: string, forMs: number): void {
    window.clearTimeout(this.noticeTimer);
    this.notice.textContent = text;
    this.noticeTimer = window.setTimeout(() => (this.notice.textContent = ''), forMs);
  }

  dispose(): void {
    window.clearTimeout(this.noticeTimer);
  }

  private listen(): void {
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener('keydown', (event) => {
      // While an input method composes, Enter picks a candidate.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener('input', () => {
      this.refresh();
      this.noteTyping();
    });
  }

  private submit(): void {
    const text = this.field.value.trim();
    if (text === '' || text.length > MAX_TEXT) return;
    this.field.value = '';
    this.typedAt = -Infinity;
    this.refresh();
    this.actions.send(text);
    this.focus();
  }

  private noteTyping(): void {
    const now = performance.now();
    if (this.field.value.trim() === '' || now - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = now;
    this.actions.typing();
  }

  private refresh(): void {
    const length = this.field.value.trim().length;
    const left = MAX_TEXT - length;
    this.button.disabled = length === 0 || left < 0;
    this.counter.hidden = left > COUNTER_FROM;
    this.counter.textContent = left < 0 ? `${-left} too many` : `${left} left`;
    this.counter.classList.toggle('over', left < 0);
    this.field.setAttribute('aria-invalid', String(left < 0));
    this.field.style.height = 'auto';
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}

function hint(): HTMLParagraphElement {
  return h(
    'p',
    { class: 'composer-hint', id: 'composer-hint' },
    'Enter sends. Shift + Enter starts a new line.',
  );
}
