// Asks for a token where the server hands out none. Knows no connection.

import { h } from '../dom.js';

export interface TokenCardOptions {
  readonly problem: string | undefined;
  /** Rejects with the sentence to show. */
  readonly enter: (token: string) => Promise<void>;
}

export function tokenCard({ problem, enter }: TokenCardOptions): HTMLElement {
  const field = h('textarea', {
    id: 'token',
    rows: '4',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-describedby': 'token-problem',
    'data-testid': 'token-input',
  });
  const said = h('p', { class: 'problem', role: 'alert', id: 'token-problem', 'data-testid': 'problem' });
  said.textContent = problem ?? '';
  const button = h('button', { type: 'submit', class: 'primary', 'data-testid': 'token-button' }, 'Open');
  const form = h(
    'form',
    { class: 'card', 'aria-labelledby': 'token-title', novalidate: true },
    h('h1', { class: 'card-title', id: 'token-title' }, 'Notifications'),
    h('p', { class: 'card-lead' }, 'Outside development the server hands out no tokens.'),
    h(
      'div',
      { class: 'field' },
      h('label', { for: 'token' }, 'Token'),
      field,
      h('p', { class: 'help' }, 'Paste a JSON Web Token that your backend signed for you.'),
    ),
    said,
    button,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (token === '') return field.focus();
    button.disabled = true;
    enter(token).catch((error: unknown) => {
      said.textContent = error instanceof Error ? error.message : 'That did not work.';
      button.disabled = false;
    });
  });
  return h('main', { class: 'join' }, form);
}
