// The server's own logger at its loudest, whose lines a test can read. Knows no message.

import { StructuredLogger } from '../../src/ops/logger.js';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export class CapturedLog {
  text = '';
  readonly logger = new StructuredLogger(
    { logLevel: 'trace' },
    { write: (line: string) => void (this.text += line) },
  );

  get lines(): readonly LogLine[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Lines with this message, in the order they came. */
  of(msg: string): readonly LogLine[] {
    return this.lines.filter((line) => line.msg === msg);
  }
}
