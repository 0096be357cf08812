// Draws the line chart: axes, the line in steps, the last price. Knows colours and points; no page.

import { priceScale, priceText, secondText, timeTicks, type Scale } from './scale.js';
import { WINDOW_MS, type Point } from './series.js';

/** CSS pixels around the plot: labels of prices at the right, of times below. */
const RIGHT = 68;
const BOTTOM = 28;
const TOP = 14;
const LEFT = 4;
const TAG_HEIGHT = 22;
const LABEL_WIDTH = 62;
const FONT = '12px ui-sans-serif, system-ui, sans-serif';

/** Colours as CSS writes them; `line` as #rrggbb. */
export interface Ink {
  readonly line: string;
  readonly onLine: string;
  readonly grid: string;
  readonly text: string;
  readonly strong: string;
  readonly ground: string;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly now: number;
  readonly points: readonly Point[];
  /** The last price is still the price. */
  readonly holds: boolean;
  /** Where the pointer is, in CSS pixels from the left. */
  readonly pointer: number | undefined;
  readonly ink: Ink;
}

/** The plot in CSS pixels: `width` and `height` are where it ends. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly from: number;
  readonly to: number;
  readonly scale: Scale;
  readonly holds: boolean;
  x(time: number): number;
  y(price: number): number;
}

export function drawChart(context: CanvasRenderingContext2D, picture: Picture): void {
  const { points, ink } = picture;
  const frame = frameOf(picture);
  const pointed = pointedAt(frame, picture);
  const last = points.at(-1);
  const shown = pointed?.price ?? last?.price;
  const tagY = shown === undefined ? undefined : tagPlace(frame, shown);
  context.font = FONT;
  drawAxes(context, { frame, ink, tagY, tagX: pointed?.x });
  if (shown === undefined || tagY === undefined || last === undefined) return;
  drawLine(context, frame, points, ink);
  if (pointed === undefined) {
    drawDot(context, { x: frame.holds ? frame.width : frame.x(last.time), y: frame.y(shown), ink });
  } else drawPointer(context, { frame, pointed, ink });
  drawTag(context, { x: frame.width + 7, y: tagY, text: priceText(shown), ink });
}

interface Pointed {
  readonly x: number;
  readonly time: number;
  readonly price: number;
}

/** The moment under the pointer and the price that held then; undefined where there was none. */
function pointedAt(frame: Frame, { pointer, points }: Picture): Pointed | undefined {
  if (pointer === undefined) return undefined;
  const x = Math.min(Math.max(pointer, LEFT), frame.width);
  const time = frame.from + ((x - LEFT) / (frame.width - LEFT)) * WINDOW_MS;
  const price = points.findLast((point) => point.time <= time)?.price;
  return price === undefined ? undefined : { x, time, price };
}

function tagPlace(frame: Frame, price: number): number {
  return Math.round(Math.min(Math.max(frame.y(price), TAG_HEIGHT / 2), frame.height - 2));
}

function frameOf({ width, height, now, points, holds }: Picture): Frame {
  const from = now - WINDOW_MS;
  const right = width - RIGHT;
  const bottom = height - BOTTOM;
  const scale = priceScale(
    points.map((point) => point.price),
    Math.max(2, Math.floor((bottom - TOP) / 48)),
  );
  return {
    width: right,
    height: bottom,
    from,
    to: now,
    scale,
    holds,
    x: (time) => LEFT + ((time - from) / WINDOW_MS) * (right - LEFT),
    y: (price) => bottom - ((price - scale.low) / (scale.high - scale.low)) * (bottom - TOP),
  };
}

/** A line of one pixel is sharp when it runs through the middle of pixels. */
const sharp = (value: number): number => Math.round(value) + 0.5;

/** `tagX`, `tagY`: where a time and a price are shown over the axes, so that no label of an axis may stand there. */
function drawAxes(
  context: CanvasRenderingContext2D,
  part: { frame: Frame; ink: Ink; tagX: number | undefined; tagY: number | undefined },
): void {
  const { frame, ink, tagX = Infinity, tagY = Infinity } = part;
  const { scale, width, height } = frame;
  context.lineWidth = 1;
  context.strokeStyle = ink.grid;
  context.fillStyle = ink.text;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  for (const price of scale.ticks) {
    const y = sharp(frame.y(price));
    stroke(context, [LEFT, y], [width, y]);
    if (Math.abs(y - tagY) > TAG_HEIGHT - 4) context.fillText(price.toFixed(scale.decimals), width + 10, y);
  }
  context.textBaseline = 'alphabetic';
  context.textAlign = 'center';
  for (const time of timeTicks(frame.from, frame.to, Math.max(2, Math.floor(width / LABEL_WIDTH)))) {
    const x = sharp(frame.x(time));
    stroke(context, [x, height], [x, height + 5]);
    const fits = x >= LABEL_WIDTH / 2 && Math.abs(x - tagX) >= LABEL_WIDTH;
    if (fits) context.fillText(secondText(time), x, height + 20);
  }
  stroke(context, [LEFT, sharp(height)], [width, sharp(height)]);
}

function stroke(context: CanvasRenderingContext2D, ...points: readonly (readonly [number, number])[]): void {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

/** In steps: a price holds until the next one. What is not known is dashed. */
function drawLine(context: CanvasRenderingContext2D, frame: Frame, points: readonly Point[], ink: Ink): void {
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, frame.width - LEFT, frame.height);
  context.clip();
  context.lineJoin = 'round';
  for (const run of runs(points, frame.holds)) drawRun(context, frame, run, ink);
  context.lineWidth = 1.5;
  context.strokeStyle = ink.text;
  context.setLineDash([2, 5]);
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (!point.broken || before === undefined) return;
    stroke(
      context,
      [frame.x(before.time), frame.y(before.price)],
      [frame.x(point.time), frame.y(point.price)],
    );
  });
  context.restore();
}

function drawRun(
  context: CanvasRenderingContext2D,
  frame: Frame,
  run: { readonly points: readonly Point[]; readonly open: boolean },
  ink: Ink,
): void {
  const [first] = run.points;
  const last = run.points.at(-1);
  if (first === undefined || last === undefined) return;
  context.beginPath();
  let y = frame.y(first.price);
  context.moveTo(frame.x(first.time), y);
  for (const point of run.points) {
    const x = frame.x(point.time);
    context.lineTo(x, y);
    y = frame.y(point.price);
    context.lineTo(x, y);
  }
  const end = frame.x(run.open ? frame.to : last.time);
  context.lineTo(end, y);
  context.lineWidth = 2;
  context.strokeStyle = ink.line;
  context.stroke();
  context.lineTo(end, frame.height);
  context.lineTo(frame.x(first.time), frame.height);
  const fill = context.createLinearGradient(0, TOP, 0, frame.height);
  fill.addColorStop(0, `${ink.line}33`);
  fill.addColorStop(1, `${ink.line}05`);
  context.fillStyle = fill;
  context.fill();
}

/** Stretches without a break; `open`: the price at its end still holds. */
function runs(points: readonly Point[], holds: boolean): { points: Point[]; open: boolean }[] {
  const all: { points: Point[]; open: boolean }[] = [];
  for (const point of points) {
    const current = all.at(-1);
    if (current === undefined || point.broken) all.push({ points: [point], open: false });
    else current.points.push(point);
  }
  const last = all.at(-1);
  if (last !== undefined) last.open = holds;
  return all;
}

function drawDot(context: CanvasRenderingContext2D, dot: { x: number; y: number; ink: Ink }): void {
  context.beginPath();
  context.arc(dot.x, dot.y, 4, 0, 2 * Math.PI);
  context.fillStyle = dot.ink.line;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = dot.ink.ground;
  context.stroke();
}

/** The price at the right edge, over the labels of the axis. */
function drawTag(
  context: CanvasRenderingContext2D,
  tag: { x: number; y: number; text: string; ink: Ink },
): void {
  const { x, y, text, ink } = tag;
  context.font = `600 ${FONT}`;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillStyle = ink.line;
  context.beginPath();
  const width = Math.max(RIGHT - 9, context.measureText(text).width + 8);
  context.roundRect(x, y - TAG_HEIGHT / 2, width, TAG_HEIGHT, 6);
  context.fill();
  context.fillStyle = ink.onLine;
  context.fillText(text, x + 5, y + 0.5);
}

function drawPointer(
  context: CanvasRenderingContext2D,
  { frame, pointed, ink }: { frame: Frame; pointed: Pointed; ink: Ink },
): void {
  const { x, time, price } = pointed;
  context.lineWidth = 1;
  context.strokeStyle = ink.text;
  stroke(context, [sharp(x), TOP], [sharp(x), frame.height]);
  drawDot(context, { x, y: frame.y(price), ink });
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  const text = secondText(time);
  const half = context.measureText(text).width / 2 + 6;
  const middle = Math.min(Math.max(x, half), frame.width - half);
  context.fillStyle = ink.ground;
  context.fillRect(middle - half, frame.height + 6, 2 * half, BOTTOM - 6);
  context.fillStyle = ink.strong;
  context.fillText(text, middle, frame.height + 20);
}
