// The price board: table, chart, figures, and the choice of transport. Puts the parts together; knows no frame.

import type { Gap, StateChange } from 'trunkline-client';
import { copyLine, publishCommand } from '../copy-line.js';
import { h } from '../dom.js';
import { StatePill } from '../state-pill.js';
import { readStored, writeStored } from '../stored.js';
import { TRANSPORT_NAMES, type TransportName } from '../transports.js';
import { Chart } from './chart.js';
import { Feed, type Tick } from './feed.js';
import { PriceRow } from './row.js';
import { percentText, priceText } from './scale.js';
import { ServerClock } from './server-clock.js';
import { TickRate } from './tick-rate.js';
import { transportSwitch } from './transport-switch.js';

const SYMBOLS = ['ACME', 'GLOBEX', 'INITECH', 'UMBRELLA'] as const;
const STORED = 'trunkline-prices';
/** The figures and spark lines follow at this pace; the chart has its own. */
const REFRESH_MS = 500;
/** The chart's description for screen readers changes this seldom. */
const DESCRIBE_MS = 10_000;
/** Without a tick for so long after the connection stands, the board says how to make one. */
const QUIET_MS = 4000;

export class PricesPage {
  readonly element: HTMLElement;
  private readonly rows: ReadonlyMap<string, PriceRow>;
  private readonly chart = new Chart();
  private readonly chartTitle = h('h2', { class: 'chart-title' });
  private readonly pill = new StatePill(() => this.feed.connect());
  private readonly rate = h('span', { class: 'figure', 'data-testid': 'tick-rate' }, '0.0');
  private readonly skipped = h('p', { class: 'stat stat-skipped', hidden: true, 'data-testid': 'skipped' });
  private readonly problem = h('div', { class: 'banner', role: 'alert', hidden: true });
  private readonly empty = emptyNote();
  private readonly ticks = new TickRate();
  private readonly serverClock = new ServerClock();
  private transport = storedTransport();
  private feed: Feed;
  private selected: PriceRow;
  private skippedCount = 0;
  private quietTimer: number | undefined;

  constructor() {
    const rows = SYMBOLS.map((symbol) => new PriceRow(symbol, (row) => this.select(row)));
    this.rows = new Map(rows.map((row) => [row.symbol, row]));
    this.selected = rows[0] as PriceRow;
    this.element = this.layOut(rows);
    this.select(this.selected);
    this.feed = this.open();
    window.setInterval(() => this.refresh(), REFRESH_MS);
    window.setInterval(() => this.describe(), DESCRIBE_MS);
  }

  private layOut(rows: readonly PriceRow[]): HTMLElement {
    const head = h(
      'div',
      { class: 'page-head' },
      h(
        'div',
        { class: 'page-heading' },
        h('h1', { class: 'page-title' }, 'Prices'),
        h('p', { class: 'page-lead' }, 'Live ticks. A slow reader gets the newest price, not all of them.'),
      ),
      this.pill.element,
    );
    const controls = h(
      'div',
      { class: 'controls' },
      transportSwitch(this.transport, (transport) => this.choose(transport)),
      h('div', { class: 'stats' }, this.skipped, h('p', { class: 'stat' }, this.rate, ' ticks per second')),
    );
    return h(
      'main',
      { class: 'page page-wide' },
      head,
      controls,
      this.problem,
      this.empty,
      h(
        'section',
        { class: 'panel chart-panel', 'aria-label': 'Chart' },
        this.chartTitle,
        this.chart.element,
      ),
      h('section', { class: 'panel board-panel', 'aria-label': 'Board' }, board(rows)),
    );
  }

  private select(row: PriceRow): void {
    this.selected.select(false);
    this.selected = row;
    row.select(true);
    this.chartTitle.replaceChildren(
      h('span', {}, row.symbol),
      h('span', { class: 'chart-note' }, 'last two minutes'),
    );
    this.chart.show(row.series, this.summary());
  }

  private open(): Feed {
    return new Feed(this.transport, SYMBOLS, {
      tick: (tick) => this.receive(tick),
      gap: (symbol, gap) => this.receiveGap(symbol, gap),
      state: (change) => this.showState(change),
      refused: (_symbol, error) => this.showProblem(error.message),
    });
  }

  /** The board stays: what the new connection brings goes on where the old one ended. */
  private choose(transport: TransportName): void {
    if (transport === this.transport) return;
    this.transport = transport;
    writeStored(STORED, { transport });
    this.feed.close();
    this.interrupt();
    this.problem.hidden = true;
    this.feed = this.open();
  }

  private receive({ symbol, price, time }: Tick): void {
    const row = this.rows.get(symbol);
    if (row === undefined) return;
    const now = Date.now();
    const local = this.serverClock.toLocal(time, now);
    if (local.moved !== 0) for (const { series } of this.rows.values()) series.shift(local.moved);
    const first = row.series.last === undefined;
    row.add(local.time, price);
    if (first && row === this.selected) this.describe();
    this.ticks.note(now);
    window.clearTimeout(this.quietTimer);
    this.empty.hidden = true;
  }

  private receiveGap(symbol: string, gap: Gap): void {
    this.rows.get(symbol)?.showGap(gap);
    this.skippedCount += gap.count;
    this.skipped.hidden = this.skippedCount === 0;
    this.skipped.textContent = `${this.skippedCount} conflated`;
  }

  private showState(change: StateChange): void {
    this.pill.show(change);
    if (change.state === 'connected') this.watchForSilence();
    else this.interrupt();
    if (change.state === 'closed')
      this.showProblem(`The server has ended this connection: ${change.reason}.`);
  }

  private interrupt(): void {
    for (const { series } of this.rows.values()) series.interrupt();
  }

  private watchForSilence(): void {
    window.clearTimeout(this.quietTimer);
    this.quietTimer = window.setTimeout(() => {
      this.empty.hidden = [...this.rows.values()].some(({ series }) => series.last !== undefined);
    }, QUIET_MS);
  }

  private showProblem(text: string): void {
    this.problem.textContent = text;
    this.problem.hidden = false;
  }

  private refresh(): void {
    const now = Date.now();
    this.rate.textContent = this.ticks.perSecond(now).toFixed(1);
    for (const row of this.rows.values()) row.draw(now);
  }

  private describe(): void {
    this.chart.describe(this.summary());
  }

  private summary(): string {
    const { symbol, series } = this.selected;
    const [oldest] = series.points;
    const { last } = series;
    if (oldest === undefined || last === undefined) return `${symbol}: no price yet.`;
    const change = last.price - oldest.price;
    const word = change > 0 ? 'up' : change < 0 ? 'down' : 'unchanged';
    const share = oldest.price === 0 ? '' : ` ${percentText(change / oldest.price)}`;
    return `${symbol}, last two minutes: from ${priceText(oldest.price)} to ${priceText(last.price)}, ${word}${share}.`;
  }
}

function board(rows: readonly PriceRow[]): HTMLTableElement {
  const titles = h(
    'tr',
    {},
    h('th', { scope: 'col' }, 'Symbol'),
    h('th', { scope: 'col', class: 'end' }, 'Last price'),
    h('th', { scope: 'col', class: 'end' }, 'Change'),
    h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'Course')),
  );
  return h(
    'table',
    { class: 'board', 'data-testid': 'board' },
    h('caption', { class: 'visually-hidden' }, 'Prices. A symbol shows its chart.'),
    h('thead', {}, titles),
    h('tbody', {}, ...rows.map((row) => row.element)),
  );
}

function emptyNote(): HTMLElement {
  const command = publishCommand('prices:ACME', {
    event: 'tick',
    data: { price: 120.5 },
    credential: '$API_KEY',
  });
  return h(
    'div',
    { class: 'panel hint', role: 'status', hidden: true, 'data-testid': 'empty' },
    h('p', { class: 'hint-title' }, 'No prices are coming'),
    h(
      'p',
      {},
      'The simulated feed runs in development only. A backend publishes a price with one of the keys in ',
      h('code', {}, 'TRUNKLINE_API_KEYS'),
      ':',
    ),
    copyLine('Command that publishes a price', command),
  );
}

function storedTransport(): TransportName {
  const stored = readStored(STORED)['transport'];
  return TRANSPORT_NAMES.find((name) => name === stored) ?? 'websocket';
}
