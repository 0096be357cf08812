// A log that says the same trouble once in five seconds, and how often it came meanwhile: what retries repeats itself. Knows no Redis.

import type { CoreLogger } from '../../core/ports/application.js';

type Fields = Readonly<Record<string, unknown>>;
type Level = 'warn' | 'error';

const EVERY_MS = 5000;
/** Characters beside the message that tell the kind of an error; what follows are figures and addresses. */
const KIND = 60;
/** Kinds that are remembered; an error that differs each time shall not fill the memory. */
const MOST = 100;

interface Told {
  readonly at: number;
  untold: number;
}

/** Only what carries an `error` is trouble that may repeat; the rest is said each time. */
export class CalmLogger implements CoreLogger {
  private readonly told = new Map<string, Told>();

  constructor(
    private readonly logger: CoreLogger,
    private readonly now: () => number,
  ) {}

  debug(message: string, fields?: Fields): void {
    this.logger.debug(message, fields);
  }

  warn(message: string, fields?: Fields): void {
    this.say('warn', message, fields);
  }

  error(message: string, fields?: Fields): void {
    this.say('error', message, fields);
  }

  private say(level: Level, message: string, fields?: Fields): void {
    if (fields?.['error'] === undefined) {
      this.logger[level](message, fields);
      return;
    }
    const kind = JSON.stringify([message, fields['connection'], fields['error']]).slice(
      0,
      message.length + KIND,
    );
    const before = this.told.get(kind);
    const now = this.now();
    if (before !== undefined && now >= before.at && now - before.at < EVERY_MS) {
      before.untold++;
      return;
    }
    if (before === undefined && this.told.size >= MOST) this.told.clear();
    this.told.set(kind, { at: now, untold: 0 });
    const untold = before?.untold ?? 0;
    this.logger[level](message, untold === 0 ? fields : { ...fields, repeated: untold });
  }
}
