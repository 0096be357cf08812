// The few helpers that make elements. Text goes in as text nodes only; nothing here parses markup or knows a page.

type Attributes = Readonly<Record<string, string | boolean | undefined>>;
type Child = Node | string | undefined;

/** An element with attributes and children. `true` sets an empty attribute; `false` and undefined leave it out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Strokes on a 20 × 20 grid. */
const ICONS = {
  send: 'M10 16.5v-13M4.5 9 10 3.5 15.5 9',
  menu: 'M3.5 6h13M3.5 10h13M3.5 14h13',
  plus: 'M10 4.5v11M4.5 10h11',
  close: 'M5 5l10 10M15 5 5 15',
  shuffle:
    'M3 6h2.5c4 0 5 8 9 8H17M3 14h2.5c1.4 0 2.5-1 3.3-2.3M17 6h-2.5c-1.4 0-2.5 1-3.3 2.3M15 4l2 2-2 2M15 12l2 2-2 2',
  leave: 'M8 3.5H5A1.5 1.5 0 0 0 3.5 5v10A1.5 1.5 0 0 0 5 16.5h3M13 13.5 16.5 10 13 6.5M16 10H8',
  down: 'M10 3.5v13M4.5 11 10 16.5 15.5 11',
  clock: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M10 6.3V10l2.5 1.6',
  alert: 'M10 6.5v4.5M10 13.8v.2M10 2.8 17.8 16.5H2.2z',
  bell: 'M10 3a4.6 4.6 0 0 0-4.6 4.6c0 4.2-1.9 5.6-1.9 5.6h13s-1.9-1.4-1.9-5.6A4.6 4.6 0 0 0 10 3M8.4 16a1.7 1.7 0 0 0 3.2 0',
  check: 'M4.5 10.5 8 14l7.5-8',
  copy: 'M7.5 7.5h8v9h-8zM12.5 7.5v-4h-8v9h3',
} as const;

export type IconName = keyof typeof ICONS;

/** Decoration: hidden from screen readers, so its button needs a label of its own. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
