// Where the ticks of an axis stand and how prices are written. Pure.

const twoDigits = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat(undefined, {
  style: 'percent',
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
// Without AM and PM, which would make the labels of a time axis twice as wide.
const seconds = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export function priceText(price: number): string {
  return twoDigits.format(price);
}

/** Without a sign: the page says the direction in its own way. */
export function percentText(share: number): string {
  return percent.format(Math.abs(share));
}

export function secondText(time: number): string {
  return seconds.format(time);
}

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** Decimals that tell the ticks apart. */
  readonly decimals: number;
}

/** Less than this share of the price is noise that must not fill the chart. */
const MIN_SPAN = 0.002;
/** Room above and below the line, as a share of its span. */
const MARGIN = 0.08;

/** Round steps of 1, 2 or 5 × 10ⁿ, at most about `count` of them. */
export function priceScale(prices: readonly number[], count: number): Scale {
  let low = Infinity;
  let high = -Infinity;
  for (const price of prices) {
    low = Math.min(low, price);
    high = Math.max(high, price);
  }
  if (low > high) [low, high] = [0, 1];
  const middle = (low + high) / 2;
  const half = Math.max((high - low) * (0.5 + MARGIN), (Math.abs(middle) * MIN_SPAN) / 2, Number.MIN_VALUE);
  [low, high] = [middle - half, middle + half];
  const step = niceStep((high - low) / Math.max(count, 1));
  const decimals = Math.min(8, Math.max(0, -Math.floor(Math.log10(step))));
  const ticks: number[] = [];
  // By counting, since adding up steps adds up rounding errors.
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return { low, high, ticks, decimals };
}

export function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

const TIME_STEPS_MS = [15_000, 30_000, 60_000];

/** Round moments of the wall clock between the two times, at most `count`. */
export function timeTicks(from: number, to: number, count: number): readonly number[] {
  const step = TIME_STEPS_MS.find((candidate) => (to - from) / candidate <= count) ?? 60_000;
  const ticks: number[] = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
  return ticks;
}
