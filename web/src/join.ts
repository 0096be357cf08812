// The card one meets first: a name, a room, and a token where the server hands out none. Knows no connection.

import logo from './assets/logo.svg';
import { h, icon } from './dom.js';
import { DEFAULT_ROOM, MAX_NAME, MAX_ROOM, cleanName, cleanRoom, suggestName } from './names.js';

export interface JoinRequest {
  readonly name: string;
  readonly room: string;
  /** Undefined: ask the development endpoint. */
  readonly token: string | undefined;
}

export interface JoinOptions {
  readonly name: string;
  readonly room: string;
  readonly token: string | undefined;
  /** A sentence shown from the start, for example why one is back here. */
  readonly problem: string | undefined;
  /** Rejects with the sentence to show. */
  enter(request: JoinRequest): Promise<void>;
  /** True when the failure means that a token has to be pasted. */
  needsToken(error: unknown): boolean;
}

export class JoinCard {
  readonly element: HTMLElement;
  private readonly name: HTMLInputElement;
  private readonly room: HTMLInputElement;
  private readonly token: HTMLTextAreaElement;
  private readonly tokenField: HTMLElement;
  private readonly problem = h('p', {
    class: 'problem',
    role: 'alert',
    id: 'join-problem',
    'data-testid': 'problem',
  });
  private readonly button = h(
    'button',
    { type: 'submit', class: 'primary', 'data-testid': 'join-button' },
    'Join the room',
  );

  constructor(private readonly options: JoinOptions) {
    this.name = h('input', {
      id: 'join-name',
      ...textInput(MAX_NAME),
      autocomplete: 'nickname',
      'data-testid': 'name-input',
    });
    this.room = h('input', {
      id: 'join-room',
      ...textInput(MAX_ROOM),
      autocapitalize: 'none',
      'data-testid': 'room-input',
    });
    this.token = h('textarea', {
      id: 'join-token',
      rows: '3',
      spellcheck: 'false',
      'data-testid': 'token-input',
    });
    this.name.value = options.name;
    this.room.value = options.room;
    this.token.value = options.token ?? '';
    this.tokenField = this.createTokenField();
    this.tokenField.hidden = options.token === undefined;
    this.element = h('main', { class: 'join' }, this.createForm(), footnote());
    this.showProblem(options.problem);
  }

  /** On a first visit the suggested name is selected, ready to be replaced. */
  focus(): void {
    if (!this.tokenField.hidden) return this.token.focus();
    this.name.focus();
    this.name.select();
  }

  private createForm(): HTMLFormElement {
    const form = h(
      'form',
      { class: 'card', 'aria-labelledby': 'join-title', novalidate: true },
      h('img', { class: 'card-logo', src: logo, alt: '', width: '44', height: '44' }),
      h('h1', { class: 'card-title', id: 'join-title' }, 'Come on in'),
      h('p', { class: 'card-lead' }, 'Pick a name and a room. No sign-up.'),
      field('join-name', 'Your name', h('div', { class: 'input-row' }, this.name, this.createShuffle())),
      field(
        'join-room',
        'Room',
        h(
          'div',
          { class: 'input-row prefixed' },
          h('span', { class: 'prefix', 'aria-hidden': 'true' }, '#'),
          this.room,
        ),
      ),
      this.tokenField,
      this.problem,
      this.button,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.submit();
    });
    return form;
  }

  private createShuffle(): HTMLButtonElement {
    const label = 'Suggest another name';
    const button = h(
      'button',
      { type: 'button', class: 'inset', 'aria-label': label, title: label },
      icon('shuffle'),
    );
    button.addEventListener('click', () => (this.name.value = suggestName()));
    return button;
  }

  private createTokenField(): HTMLElement {
    return field(
      'join-token',
      'Token',
      this.token,
      'Outside development the server hands out no tokens. Paste a JSON Web Token that your backend signed for you.',
    );
  }

  private async submit(): Promise<void> {
    const name = cleanName(this.name.value);
    const room = cleanRoom(this.room.value) || DEFAULT_ROOM;
    const token = this.token.value.trim();
    this.name.setAttribute('aria-invalid', String(name === ''));
    if (name === '') {
      this.showProblem('Please pick a name first.');
      return this.name.focus();
    }
    this.setBusy(true);
    try {
      await this.options.enter({
        name,
        room,
        token: this.tokenField.hidden || token === '' ? undefined : token,
      });
    } catch (error) {
      this.fail(error);
    } finally {
      this.setBusy(false);
    }
  }

  private fail(error: unknown): void {
    const asks = this.options.needsToken(error) && this.tokenField.hidden;
    if (asks) this.tokenField.hidden = false;
    // The opened field explains itself; a second try with a bad token needs the sentence.
    this.showProblem(asks ? undefined : error instanceof Error ? error.message : 'That did not work.');
    if (this.options.needsToken(error)) this.token.focus();
  }

  private setBusy(busy: boolean): void {
    this.button.disabled = busy;
    this.button.textContent = busy ? 'Joining…' : 'Join the room';
  }

  private showProblem(text: string | undefined): void {
    this.problem.textContent = text ?? '';
  }
}

function textInput(maxLength: number): Record<string, string> {
  return {
    type: 'text',
    spellcheck: 'false',
    maxlength: String(maxLength),
    'aria-describedby': 'join-problem',
  };
}

function field(id: string, label: string, control: HTMLElement, help?: string): HTMLElement {
  const note = help === undefined ? undefined : h('p', { class: 'help' }, help);
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, note);
}

function footnote(): HTMLElement {
  const second = h('a', { href: './', target: '_blank', rel: 'noopener' }, 'second window');
  return h('p', { class: 'footnote' }, 'Open a ', second, ' beside this one and you are two people.');
}
