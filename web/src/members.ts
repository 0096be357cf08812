// Who is in the room: one row per person, however many windows that person has open. Knows no server.

import { avatar } from './avatar.js';
import { h } from './dom.js';

export interface MemberView {
  readonly user: string;
  readonly name?: string | undefined;
  readonly connections: number;
}

export class MemberList {
  readonly element: HTMLElement;
  private readonly count = h('span', { class: 'count' });
  private readonly list = h('ul', { class: 'members' });

  constructor(private readonly me: string) {
    const title = h('h2', { class: 'section-title', id: 'members-title' }, 'People', this.count);
    this.element = h(
      'section',
      { class: 'section section-members', 'aria-labelledby': 'members-title' },
      title,
      this.list,
    );
  }

  /** Oneself first, then by name. */
  show(members: readonly MemberView[]): void {
    const sorted = [...members].sort((a, b) => {
      if (a.user === this.me || b.user === this.me) return a.user === this.me ? -1 : 1;
      return memberName(a).localeCompare(memberName(b));
    });
    this.count.textContent = members.length === 0 ? '' : String(members.length);
    this.list.replaceChildren(...sorted.map((member) => this.row(member)));
  }

  /** While offline the list is only what was true last. */
  setStale(stale: boolean): void {
    this.element.classList.toggle('stale', stale);
  }

  private row(member: MemberView): HTMLLIElement {
    const name = memberName(member);
    const face = h(
      'span',
      { class: 'face' },
      avatar(member.user, name),
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
    );
    const element = h(
      'li',
      { class: 'member', 'data-testid': 'member', 'data-user': member.user, title: member.user },
      face,
      h('span', { class: 'member-name' }, name),
    );
    if (member.user === this.me) element.append(h('span', { class: 'tag' }, 'you'));
    if (member.connections > 1) element.append(connections(member.connections));
    return element;
  }
}

export function memberName(member: MemberView): string {
  return member.name ?? member.user;
}

function connections(count: number): HTMLSpanElement {
  const text = `${count} connections`;
  return h(
    'span',
    { class: 'connections', title: text },
    h('span', { 'aria-hidden': 'true' }, `×${count}`),
    h('span', { class: 'visually-hidden' }, text),
  );
}
