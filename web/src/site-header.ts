// The bar at the top of every page: where one is, where else one can go, and a place for the bell. Knows no server.

import logo from './assets/logo.svg';
import { h } from './dom.js';

export type PageName = 'chat' | 'prices' | 'notifications';

const PAGES: readonly { readonly name: PageName; readonly href: string; readonly title: string }[] = [
  { name: 'chat', href: './', title: 'Chat' },
  { name: 'prices', href: './prices', title: 'Prices' },
  { name: 'notifications', href: './notifications', title: 'Notifications' },
];

export class SiteHeader {
  readonly element: HTMLElement;
  private readonly place = h('div', { class: 'site-place' });

  constructor(current: PageName) {
    const brand = h(
      'a',
      { class: 'site-brand', href: './' },
      h('img', { src: logo, alt: '', width: '26', height: '26' }),
      h('span', { class: 'site-name' }, 'Trunkline'),
    );
    const links = PAGES.map(({ name, href, title }) =>
      h(
        'li',
        {},
        h(
          'a',
          {
            class: 'site-link',
            href,
            'aria-current': name === current ? 'page' : undefined,
            'data-testid': `nav-${name}`,
          },
          title,
        ),
      ),
    );
    this.element = h(
      'header',
      { class: 'site' },
      brand,
      h('nav', { class: 'site-nav', 'aria-label': 'Pages' }, h('ul', { class: 'site-links' }, ...links)),
      this.place,
    );
  }

  /** Undefined: nobody is known on this page, so there is nothing to ring for. */
  showBell(bell: HTMLElement | undefined): void {
    this.place.replaceChildren(...(bell === undefined ? [] : [bell]));
  }
}
