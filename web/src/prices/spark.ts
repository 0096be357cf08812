// A line of a few pixels height in a table row: where the price has been. Knows no server.

import { WINDOW_MS, type Series } from './series.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 120;
const HEIGHT = 32;
const PAD = 3;
/** Until there is more to show, the line grows over the whole width. */
const MIN_SPAN_MS = 20_000;

export class Spark {
  readonly element: SVGSVGElement;
  private readonly path = document.createElementNS(SVG, 'path');

  constructor() {
    this.element = document.createElementNS(SVG, 'svg');
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('class', 'spark');
    // The row says the same in figures.
    this.element.setAttribute('aria-hidden', 'true');
    this.element.append(this.path);
  }

  draw(series: Series, now: number): void {
    const { points } = series;
    let low = Infinity;
    let high = -Infinity;
    for (const { price } of points) {
      low = Math.min(low, price);
      high = Math.max(high, price);
    }
    const span = Math.min(WINDOW_MS, Math.max(MIN_SPAN_MS, now - (points[0]?.time ?? now)));
    const from = now - span;
    const x = (time: number): string => ((Math.max(0, time - from) / span) * WIDTH).toFixed(1);
    const y = (price: number): string =>
      high === low
        ? String(HEIGHT / 2)
        : (HEIGHT - PAD - ((price - low) / (high - low)) * (HEIGHT - 2 * PAD)).toFixed(1);
    let d = points
      .map(({ time, price, broken }, index) => `${index === 0 || broken ? 'M' : 'L'}${x(time)} ${y(price)}`)
      .join('');
    const { last } = series;
    if (last !== undefined && !series.interrupted) d += `H${WIDTH}`;
    this.path.setAttribute('d', d);
  }
}
