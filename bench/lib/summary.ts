// Turns the samples of all rounds into one row per case and server: medians, spread and ratios. Prints nothing.
import type { FigureName, Sample } from './load.js';
import { median, medianRatio } from './stats.js';

/** The samples of one server in one case, one a round. */
export interface Series {
  readonly case: string;
  readonly server: string;
  readonly samples: readonly Sample[];
}

export interface Row {
  readonly case: string;
  readonly server: string;
  readonly median: Sample;
  /** Of the figure the scenario compares. */
  readonly lowest: number;
  readonly highest: number;
  readonly ratioTo: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
}

export interface SummaryOptions {
  readonly figure: FigureName;
  readonly columns: readonly FigureName[];
  readonly baselines: readonly string[];
}

const valuesOf = (samples: readonly Sample[], figure: FigureName): number[] =>
  samples.map((sample) => sample[figure]).filter((value) => value !== undefined);

export function summarise(all: readonly Series[], options: SummaryOptions): Row[] {
  return all.map((series) => {
    const own = valuesOf(series.samples, options.figure);
    return {
      case: series.case,
      server: series.server,
      median: mediansOf(series.samples, options.columns),
      lowest: Math.min(...own),
      highest: Math.max(...own),
      ratioTo: ratiosOf(series, all, options),
      samples: series.samples,
    };
  });
}

function mediansOf(samples: readonly Sample[], columns: readonly FigureName[]): Sample {
  const present = columns.filter((figure) => valuesOf(samples, figure).length > 0);
  return Object.fromEntries(present.map((figure) => [figure, median(valuesOf(samples, figure))]));
}

function ratiosOf(series: Series, all: readonly Series[], options: SummaryOptions): Record<string, number> {
  const beside = all.filter(
    (other) =>
      other.case === series.case &&
      other.server !== series.server &&
      options.baselines.includes(other.server),
  );
  const own = valuesOf(series.samples, options.figure);
  return Object.fromEntries(
    beside.map((other) => [other.server, medianRatio(own, valuesOf(other.samples, options.figure))]),
  );
}
