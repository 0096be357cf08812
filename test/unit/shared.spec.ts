// Answers shared by many: nobody is given one that was asked for before he came.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Shared } from '../../src/core/shared.js';

/** Questions that are answered by hand, with the number of the question. */
class Desk {
  asked = 0;
  readonly open: { readonly number: number; readonly resolve: () => void; readonly reject: () => void }[] =
    [];
  readonly shared = new Shared<number>(() => {
    const number = ++this.asked;
    return new Promise((resolve, reject) => {
      this.open.push({
        number,
        resolve: () => resolve(number),
        reject: () => reject(new Error(String(number))),
      });
    });
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('shared answers', () => {
  it('one question serves all who come while another is under way', async () => {
    const desk = new Desk();
    const first = desk.shared.get('a');
    const late = Array.from({ length: 100 }, () => desk.shared.get('a'));
    expect(desk.asked).toBe(1);
    desk.open.shift()?.resolve();
    expect(await first).toBe(1);
    await turn();
    desk.open.shift()?.resolve();
    expect(new Set(await Promise.all(late))).toEqual(new Set([2]));
    expect(desk.asked).toBe(2);
  });

  it('a failure is told to those who share it, and the next ones ask anew', async () => {
    const desk = new Desk();
    const first = desk.shared.get('a');
    const late = desk.shared.get('a');
    desk.open.shift()?.reject();
    await expect(first).rejects.toThrow('1');
    await turn();
    desk.open.shift()?.resolve();
    expect(await late).toBe(2);
  });

  it('keys do not wait for each other', async () => {
    const desk = new Desk();
    void desk.shared.get('a');
    const other = desk.shared.get('b');
    desk.open[1]?.resolve();
    expect(await other).toBe(2);
  });

  it('never gives an answer of before, and never has two questions under way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('ask', 'answer', 'fail'), { maxLength: 60 }),
        async (steps) => {
          const desk = new Desk();
          const given: Promise<void>[] = [];
          for (const step of [...steps, 'answer', 'answer']) {
            if (step === 'ask') {
              // A question under way was asked before; the first to come asks himself.
              const least = desk.asked + 1;
              const check = (number: number): void => expect(number).toBeGreaterThanOrEqual(least);
              given.push(
                desk.shared.get('a').then(check, (error: unknown) => check(Number((error as Error).message))),
              );
            } else if (step === 'answer') desk.open.shift()?.resolve();
            else desk.open.shift()?.reject();
            expect(desk.open.length).toBeLessThanOrEqual(1);
            await turn();
          }
          await Promise.all(given);
        },
      ),
    );
  });
});
