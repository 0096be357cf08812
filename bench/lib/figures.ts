// The name, unit and precision of each figure, for the tables; measures nothing.
import type { FigureName } from './load.js';

interface FigureText {
  readonly heading: string;
  readonly digits: number;
}

export const figureTexts: Readonly<Record<FigureName, FigureText>> = {
  connectsPerSecond: { heading: 'connects/s', digits: 0 },
  connectCpuUs: { heading: 'server CPU µs/connect', digits: 1 },
  rssKibPerConnection: { heading: 'RSS KiB/connection', digits: 2 },
  idleCpuSeconds: { heading: 'server CPU s while idle', digits: 3 },
  deliveriesPerSecond: { heading: 'deliveries/s', digits: 0 },
  p50Ms: { heading: 'p50 ms', digits: 2 },
  p99Ms: { heading: 'p99 ms', digits: 2 },
  cpuUsPerDelivery: { heading: 'server CPU µs/delivery', digits: 2 },
  cpuShare: { heading: 'server core in use', digits: 2 },
};

export const formatFigure = (name: FigureName, value: number): string =>
  value.toLocaleString('en-US', {
    minimumFractionDigits: figureTexts[name].digits,
    maximumFractionDigits: figureTexts[name].digits,
  });
