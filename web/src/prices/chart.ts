// The large line chart: a canvas that is sharp on every screen and moves with the time. Knows no server.

import { h } from '../dom.js';
import { drawChart, type Ink } from './chart-drawing.js';
import type { Series } from './series.js';

/** Twenty pictures a second: the window moves by less than half a pixel between two. */
const FRAME_MS = 50;
const CALM_FRAME_MS = 1000;

export class Chart {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas', { class: 'chart-canvas', role: 'img', 'data-testid': 'chart' });
  private readonly context = this.canvas.getContext('2d');
  private readonly calm = matchMedia('(prefers-reduced-motion: reduce)');
  private readonly dark = matchMedia('(prefers-color-scheme: dark)');
  private readonly resize = new ResizeObserver(() => this.measure());
  private readonly onTheme = (): void => {
    this.ink = readInk(this.canvas);
  };
  private ink: Ink | undefined;
  private size = { width: 0, height: 0 };
  private pointer: number | undefined;
  private drawnAt = -Infinity;
  private request = 0;
  private series: Series | undefined;

  constructor() {
    this.element = h('div', { class: 'chart' }, this.canvas);
    this.canvas.addEventListener('pointermove', ({ offsetX }) => this.point(offsetX));
    this.canvas.addEventListener('pointerleave', () => this.point(undefined));
    this.dark.addEventListener('change', this.onTheme);
    this.resize.observe(this.canvas);
    const loop = (at: number): void => {
      this.request = requestAnimationFrame(loop);
      if (at - this.drawnAt >= (this.calm.matches ? CALM_FRAME_MS : FRAME_MS)) this.draw(at);
    };
    this.request = requestAnimationFrame(loop);
  }

  show(series: Series, label: string): void {
    this.series = series;
    this.drawnAt = -Infinity;
    this.describe(label);
  }

  describe(label: string): void {
    this.canvas.setAttribute('aria-label', label);
  }

  dispose(): void {
    cancelAnimationFrame(this.request);
    this.resize.disconnect();
    this.dark.removeEventListener('change', this.onTheme);
  }

  private point(x: number | undefined): void {
    this.pointer = x;
    this.drawnAt = -Infinity;
  }

  private measure(): void {
    this.size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    this.drawnAt = -Infinity;
  }

  private draw(at: number): void {
    const { context, canvas } = this;
    const { width, height } = this.size;
    if (context === null || width === 0) return;
    this.drawnAt = at;
    const ratio = devicePixelRatio;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.ink ??= readInk(canvas);
    const now = Date.now();
    this.series?.trim(now);
    drawChart(context, {
      width,
      height,
      now,
      points: this.series?.points ?? [],
      holds: this.series?.interrupted === false,
      pointer: this.pointer,
      ink: this.ink,
    });
  }
}

function readInk(element: Element): Ink {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    line: colour('--accent'),
    onLine: colour('--on-accent'),
    grid: colour('--line'),
    text: colour('--soft'),
    strong: colour('--text'),
    ground: colour('--raised'),
  };
}
