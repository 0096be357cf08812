// Answers that many may share: whoever asks gets one whose question was asked after he came, and no more than one question is under way for
// each key. Knows not what is asked.

interface Row<T> {
  readonly running: Promise<T>;
  /** For those who came while `running` was under way. */
  next: Promise<T> | undefined;
}

export class Shared<T> {
  /** One row for each question under way. */
  private readonly rows = new Map<string, Row<T>>();

  constructor(private readonly ask: (key: string) => Promise<T>) {}

  /** Rejects as the question does, for all who share it. */
  get(key: string): Promise<T> {
    const row = this.rows.get(key);
    if (row === undefined) return this.begin(key);
    const begin = (): Promise<T> => this.begin(key);
    row.next ??= row.running.then(begin, begin);
    return row.next;
  }

  private begin(key: string): Promise<T> {
    const running = this.ask(key);
    const row: Row<T> = { running, next: undefined };
    this.rows.set(key, row);
    const end = (): void => {
      if (this.rows.get(key) === row && row.next === undefined) this.rows.delete(key);
    };
    running.then(end, end);
    return running;
  }
}
