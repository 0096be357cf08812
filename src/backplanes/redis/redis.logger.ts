// A log that says the same trouble once in five seconds, and how often it came meanwhile: what retries repeats itself. Knows no Redis.

import type { CoreLogger } from '../../core/ports/application.js';
import { Seldom } from '../../core/ports/seldom.js';

type Fields = Readonly<Record<string, unknown>>;
type Level = 'warn' | 'error';

const EVERY_MS = 5000;
/** Characters beside the message that tell the kind of an error; what follows are figures and addresses. */
const KIND = 60;
/** Only what carries an `error` is trouble that may repeat; the rest is said each time. */
export class CalmLogger implements CoreLogger {
  private readonly seldom = new Seldom(EVERY_MS);

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
    const kind = JSON.stringify([message, fields['connection'], fields['error']]);
    const untold = this.seldom.due(kind.slice(0, message.length + KIND), this.now());
    if (untold === undefined) return;
    this.logger[level](message, untold === 0 ? fields : { ...fields, repeated: untold });
  }
}
