// What strangers write does not write the log: a line stays a line, what is not shown is shown, and what is long is cut.

import { describe, expect, it } from 'vitest';
import { StructuredLogger } from '../../src/ops/logger.js';

const lines: string[] = [];
const logger = new StructuredLogger({ logLevel: 'trace' }, { write: (line) => void lines.push(line) });

/** The one line that it wrote. */
function lineOf(write: () => void): string {
  lines.length = 0;
  write();
  expect(lines).toHaveLength(1);
  return lines[0] as string;
}

const WAYS: Readonly<Record<string, (text: string) => void>> = {
  'as a message': (text) => logger.warn(text),
  'as a field': (text) => logger.warn('x', { user: text }),
  'as an error': (text) => logger.error(new Error(text)),
  'as a context': (text) => logger.log('x', text),
  'as a stack': (text) => logger.error('x', text, 'Http'),
};
const HOSTILE = [
  'a\n{"level":"fatal","msg":"forged"}',
  'a\r\nb',
  'a\u2028b\u2029c',
  'a\u0085b\u009b31mred',
  '\u001b[2Jgone',
  'txt.\u202eexe',
  'ad\u200bmin',
  '\u2066admin\u2069',
  '\ufeffadmin',
  '\u{e0041}admin',
  'a\0b',
  '\ud800',
];

describe.each(Object.entries(WAYS))('%s', (_name, write) => {
  it.each(HOSTILE)('%j makes one line that holds nothing unseen, and is JSON', (text) => {
    const line = lineOf(() => write(text));
    expect(line.endsWith('\n')).toBe(true);
    expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as unknown });
  });

  it('a long text is cut', () => {
    expect(lineOf(() => write('a'.repeat(100_000))).length).toBeLessThan(10_000);
  });
});
