// The line that says who is writing. Each note counts for three seconds. Knows no server.

import { h } from './dom.js';

const SHOWN_MS = 3000;

export class TypingLine {
  readonly element: HTMLElement;
  private readonly text = h('span');
  private readonly people = new Map<string, { readonly name: string; readonly timer: number }>();

  constructor() {
    const dots = h('span', { class: 'typing-dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
    // Not a live region: it would interrupt a screen reader at every word others write.
    this.element = h('p', { class: 'typing', 'data-testid': 'typing' }, dots, this.text);
    this.render();
  }

  note(user: string, name: string): void {
    this.forget(user);
    const timer = window.setTimeout(() => {
      this.people.delete(user);
      this.render();
    }, SHOWN_MS);
    this.people.set(user, { name, timer });
    this.render();
  }

  /** The message has come, or the person has gone. */
  stop(user: string): void {
    this.forget(user);
    this.render();
  }

  clear(): void {
    for (const user of [...this.people.keys()]) this.forget(user);
    this.render();
  }

  private forget(user: string): void {
    window.clearTimeout(this.people.get(user)?.timer);
    this.people.delete(user);
  }

  private render(): void {
    const names = [...this.people.values()].map((person) => person.name);
    this.text.textContent = sentence(names);
    this.element.classList.toggle('active', names.length > 0);
  }
}

function sentence(names: readonly string[]): string {
  const [first, second] = names;
  if (first === undefined) return '';
  if (second === undefined) return `${first} is typing…`;
  if (names.length === 2) return `${first} and ${second} are typing…`;
  return `${names.length} people are typing…`;
}
