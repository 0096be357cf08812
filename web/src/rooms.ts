// The rooms this tab has been in, and the field that opens another one. Knows no server.

import { h, icon } from './dom.js';
import { MAX_ROOM, cleanRoom } from './names.js';

export class RoomList {
  readonly element: HTMLElement;
  private readonly list = h('ul', { class: 'rooms' });
  private readonly input = h('input', {
    id: 'open-room',
    type: 'text',
    maxlength: String(MAX_ROOM),
    placeholder: 'Open a room',
    autocapitalize: 'none',
    autocomplete: 'off',
    spellcheck: 'false',
    'data-testid': 'open-room-input',
  });

  constructor(private readonly open: (room: string) => void) {
    const form = h(
      'form',
      { class: 'open-room' },
      h('label', { class: 'visually-hidden', for: 'open-room' }, 'Open a room'),
      icon('plus'),
      this.input,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    const title = h('h2', { class: 'section-title', id: 'rooms-title' }, 'Rooms');
    this.element = h('nav', { class: 'section', 'aria-labelledby': 'rooms-title' }, title, this.list, form);
  }

  show(rooms: readonly string[], current: string): void {
    this.list.replaceChildren(...rooms.map((room) => this.row(room, room === current)));
  }

  private row(room: string, current: boolean): HTMLLIElement {
    const button = h(
      'button',
      {
        type: 'button',
        class: 'room-link',
        'aria-current': current ? 'page' : undefined,
        'data-testid': 'room-link',
      },
      h('span', { class: 'prefix', 'aria-hidden': 'true' }, '#'),
      h('span', { class: 'room-link-name' }, room),
    );
    button.addEventListener('click', () => this.open(room));
    return h('li', {}, button);
  }

  private submit(): void {
    const room = cleanRoom(this.input.value);
    if (room === '') return;
    this.input.value = '';
    this.open(room);
  }
}
