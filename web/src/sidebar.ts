// The side of the chat: rooms, people, oneself. On narrow screens it is a drawer. Knows no server.

import { avatar } from './avatar.js';
import { h, icon } from './dom.js';

export interface SidebarOptions {
  readonly user: string;
  readonly name: string;
  readonly sections: readonly HTMLElement[];
  leave(): void;
}

/** The same width as in layout.css. */
const NARROW = '(max-width: 760px)';

export class Sidebar {
  readonly element: HTMLElement;
  readonly backdrop = h('div', { class: 'backdrop' });
  readonly menuButton: HTMLButtonElement;
  private readonly closeButton: HTMLButtonElement;
  private readonly narrow = matchMedia(NARROW);
  private readonly onWidth = (): void => this.close();
  private covered: HTMLElement | undefined;

  constructor(options: SidebarOptions) {
    this.menuButton = h(
      'button',
      {
        type: 'button',
        class: 'icon-button menu-button',
        'aria-label': 'Rooms and people',
        'aria-controls': 'sidebar',
        'aria-expanded': 'false',
      },
      icon('menu'),
    );
    this.closeButton = h(
      'button',
      { type: 'button', class: 'icon-button close-button', 'aria-label': 'Close' },
      icon('close'),
    );
    this.element = h(
      'aside',
      { class: 'sidebar', id: 'sidebar', 'aria-label': 'Rooms and people' },
      this.closeButton,
      h('div', { class: 'sections' }, ...options.sections),
      meRow(options),
    );
    this.listen();
  }

  /** What lies under the drawer and cannot be reached while it is open. */
  covers(element: HTMLElement): void {
    this.covered = element;
  }

  close(): void {
    if (!this.element.classList.contains('open')) return;
    this.setOpen(false);
    this.menuButton.focus();
  }

  dispose(): void {
    this.narrow.removeEventListener('change', this.onWidth);
  }

  private listen(): void {
    this.menuButton.addEventListener('click', () => {
      this.setOpen(true);
      this.closeButton.focus();
    });
    this.closeButton.addEventListener('click', () => this.close());
    this.backdrop.addEventListener('click', () => this.close());
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
    });
    this.narrow.addEventListener('change', this.onWidth);
  }

  private setOpen(open: boolean): void {
    this.element.classList.toggle('open', open);
    this.menuButton.setAttribute('aria-expanded', String(open));
    if (this.covered !== undefined) this.covered.inert = open;
  }
}

function meRow(options: SidebarOptions): HTMLElement {
  const leave = h(
    'button',
    { type: 'button', class: 'leave', 'data-testid': 'leave-button' },
    icon('leave'),
    h('span', {}, 'Leave'),
  );
  leave.addEventListener('click', () => options.leave());
  return h(
    'div',
    { class: 'me' },
    avatar(options.user, options.name),
    h('span', { class: 'me-name', title: options.user }, options.name),
    leave,
  );
}
