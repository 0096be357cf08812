// Which of our own code ran since the last look, by V8's own counters. Knows neither what ran nor why.

import { Session, type Profiler } from 'node:inspector';

type Run = readonly Profiler.FunctionCoverage[];

export class Coverage {
  private readonly session = new Session();
  /** For each function by its place, which of its characters ever ran. */
  private readonly known = new Map<number, Uint8Array>();
  private reachedCount = 0;

  /** `url`: of the one script that counts. */
  constructor(private readonly url: string) {
    this.session.connect();
    this.post('Profiler.enable');
    this.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters of code that ever ran. */
  get reached(): number {
    return this.reachedCount;
  }

  /** What ran since the last look. */
  take(): Run {
    const { result } = this.post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage');
    const ours = result.find(({ url }) => url === this.url)?.functions ?? [];
    return ours.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0);
  }

  /** True when some of it had never run. With `learn` it is known from now on. */
  isNew(run: Run, { learn }: { readonly learn: boolean }): boolean {
    let found = false;
    for (const { ranges } of run) found = this.merge(ranges, learn) || found;
    return found;
  }

  stop(): void {
    this.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  /** Ranges are told from the outermost inwards, and an inner one only where its count is another. */
  private merge(ranges: readonly Profiler.CoverageRange[], learn: boolean): boolean {
    const [{ startOffset: start, endOffset: end }] = ranges as [Profiler.CoverageRange];
    const ran = new Uint8Array(end - start);
    for (const { startOffset, endOffset, count } of ranges)
      ran.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start);
    const known = this.known.get(start);
    let news = 0;
    for (let at = 0; at < ran.length; at++) if (ran[at] === 1 && known?.[at] !== 1) news++;
    if (news === 0 || !learn) return news > 0;
    this.reachedCount += news;
    this.known.set(start, known === undefined ? ran : ran.map((one, at) => one | (known[at] ?? 0)));
    return true;
  }

  /** The inspector of one's own process answers before `post` returns. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each method has its own answer
  private post<T = unknown>(method: string, params: object = {}): T {
    let answer: unknown;
    this.session.post(method, params, (error, result) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer as T;
  }
}
