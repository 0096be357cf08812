// One symbol in the table: last price, change since it was first seen, and a spark line. Knows no server.

import type { Gap } from 'trunkline-client';
import { h } from '../dom.js';
import { gapTag } from './gap-words.js';
import { percentText, priceText } from './scale.js';
import { Series } from './series.js';
import { Spark } from './spark.js';

type Direction = 'up' | 'down' | 'same';

const ARROWS: Readonly<Record<Direction, string>> = { up: '▲', down: '▼', same: '' };
const WORDS: Readonly<Record<Direction, string>> = { up: 'up', down: 'down', same: 'unchanged' };
const FLASH_MS = 700;
/** How long a row says that something was left out. */
const TAG_MS = 6000;

export class PriceRow {
  readonly series = new Series();
  readonly element: HTMLTableRowElement;
  private readonly button: HTMLButtonElement;
  private readonly price = h('span', { class: 'price-figure', 'data-testid': 'price' }, '–');
  private readonly arrow = h('span', { class: 'change-arrow', 'aria-hidden': 'true' });
  private readonly word = h('span', { class: 'visually-hidden' });
  private readonly amount = h('span', { class: 'change-amount' });
  private readonly share = h('span', { class: 'change-share' });
  private readonly tag = h('span', { class: 'tag-gap', hidden: true, 'data-testid': 'gap-tag' });
  private readonly change: HTMLTableCellElement;
  private readonly spark = new Spark();
  private readonly calm = matchMedia('(prefers-reduced-motion: reduce)');
  private tagTimer: number | undefined;

  constructor(
    readonly symbol: string,
    select: (row: PriceRow) => void,
  ) {
    this.button = h('button', { type: 'button', class: 'symbol', 'aria-pressed': 'false' }, symbol);
    this.change = h(
      'td',
      { class: 'change', 'data-direction': 'same', 'data-testid': 'change' },
      h('span', { class: 'change-line' }, this.arrow, this.word, this.amount, this.share),
    );
    this.element = h(
      'tr',
      { class: 'price-row', 'data-testid': 'price-row', 'data-symbol': symbol },
      h('th', { scope: 'row' }, this.button, this.tag),
      h('td', { class: 'price' }, this.price),
      this.change,
      h('td', { class: 'spark-cell' }, this.spark.element),
    );
    // The button inside is for the keyboard; its click arrives here too.
    this.element.addEventListener('click', () => select(this));
  }

  select(selected: boolean): void {
    this.button.setAttribute('aria-pressed', String(selected));
    this.element.classList.toggle('selected', selected);
  }

  add(time: number, price: number): void {
    const before = this.series.last?.price;
    this.series.add(time, price);
    this.price.textContent = priceText(price);
    this.showChange(price);
    if (before !== undefined && before !== price) this.flash(price > before ? 'up' : 'down');
  }

  showGap(gap: Pick<Gap, 'reason' | 'count'>): void {
    window.clearTimeout(this.tagTimer);
    this.tag.textContent = gapTag(gap);
    this.tag.hidden = false;
    this.tagTimer = window.setTimeout(() => (this.tag.hidden = true), TAG_MS);
  }

  draw(now: number): void {
    this.series.trim(now);
    this.spark.draw(this.series, now);
  }

  private showChange(price: number): void {
    const change = this.changeOf(price);
    this.change.dataset['direction'] = change.direction;
    this.arrow.textContent = ARROWS[change.direction];
    this.word.textContent = WORDS[change.direction];
    this.amount.textContent = priceText(Math.abs(change.by));
    this.share.textContent = percentText(change.share);
  }

  private changeOf(price: number): { by: number; share: number; direction: Direction } {
    const first = this.series.first ?? price;
    const by = price - first;
    const direction = Math.abs(by) < 0.005 ? 'same' : by > 0 ? 'up' : 'down';
    return { by, share: first === 0 ? 0 : by / first, direction };
  }

  private flash(direction: 'up' | 'down'): void {
    if (this.calm.matches) return;
    this.price.animate(
      [{ backgroundColor: `var(--${direction}-soft)` }, { backgroundColor: 'transparent' }],
      { duration: FLASH_MS, easing: 'ease-out' },
    );
  }
}
