// The choice of what carries the connection: one row of radio buttons. Knows no connection.

import { h } from '../dom.js';
import { TRANSPORT_NAMES, TRANSPORT_TITLES, type TransportName } from '../transports.js';

export function transportSwitch(
  current: TransportName,
  choose: (transport: TransportName) => void,
): HTMLElement {
  const options = TRANSPORT_NAMES.map((name) => {
    const input = h('input', {
      type: 'radio',
      class: 'visually-hidden',
      name: 'transport',
      value: name,
      checked: name === current,
      'data-testid': `transport-${name}`,
    });
    input.addEventListener('change', () => choose(name));
    return h('label', { class: 'segment' }, input, h('span', {}, TRANSPORT_TITLES[name]));
  });
  return h(
    'fieldset',
    { class: 'segments' },
    h('legend', { class: 'visually-hidden' }, 'Transport'),
    ...options,
  );
}
