// The round mark of a person: initials on the person's colour. Decoration; the name stands beside it.

import { h } from './dom.js';
import { hueOf, initials } from './names.js';

export function avatar(user: string, name: string): HTMLSpanElement {
  const element = h('span', { class: 'avatar', 'aria-hidden': 'true', 'data-initials': initials(name) });
  // Set through the object model: a style attribute would need 'unsafe-inline'.
  element.style.setProperty('--hue', String(hueOf(user)));
  return element;
}
