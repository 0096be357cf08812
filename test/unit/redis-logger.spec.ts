// The same trouble is said once in five seconds, with how often it came; different trouble and news are said each time.

import { describe, expect, it } from 'vitest';
import { CalmLogger } from '../../src/backplanes/redis/redis.logger.js';

function calm() {
  const said: [level: string, message: string, fields: unknown][] = [];
  let now = 1000;
  const say =
    (level: string) =>
    (message: string, fields?: unknown): void =>
      void said.push([level, message, fields]);
  const logger = new CalmLogger({ debug: say('debug'), warn: say('warn'), error: say('error') }, () => now);
  return { said, logger, pass: (ms: number) => (now += ms) };
}

describe('the log of the Redis backplane', () => {
  it('says trouble once in five seconds, and then how often it was not said', () => {
    const { said, logger, pass } = calm();
    for (let n = 0; n < 50; n++) {
      logger.warn('Away.', { error: 'ECONNREFUSED' });
      pass(99);
    }
    expect(said).toEqual([['warn', 'Away.', { error: 'ECONNREFUSED' }]]);
    pass(50);
    logger.warn('Away.', { error: 'ECONNREFUSED' });
    expect(said[1]).toEqual(['warn', 'Away.', { error: 'ECONNREFUSED', repeated: 49 }]);
    pass(5000);
    logger.warn('Away.', { error: 'ECONNREFUSED' });
    expect(said[2]).toEqual(['warn', 'Away.', { error: 'ECONNREFUSED' }]);
  });

  it('says other trouble, and that of another connection, at once', () => {
    const { said, logger } = calm();
    for (const error of ['one', 'two'])
      for (const connection of ['bus', 'commands'])
        for (let n = 0; n < 2; n++) logger.error('Trouble.', { error, connection });
    expect(said).toHaveLength(4);
  });

  it('says what is no trouble each time', () => {
    const { said, logger } = calm();
    for (let n = 0; n < 3; n++) {
      logger.warn('Ended.', { node: `${n}` });
      logger.debug('Detail.');
    }
    expect(said).toHaveLength(6);
  });

  it('does not fall silent when its clock is set back', () => {
    const { said, logger, pass } = calm();
    logger.warn('Away.', { error: 'x' });
    pass(-900);
    logger.warn('Away.', { error: 'x' });
    expect(said).toHaveLength(2);
  });
});
