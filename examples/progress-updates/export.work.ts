// The long job of this example: an export that writes its rows in parts. Any function of this form will do.

import { setTimeout as pause } from 'node:timers/promises';
import type { Work } from './job.js';

const PARTS = 10;

/** `partMs` stands for the time a real part takes. */
export function exportWork(rows: number, partMs: number): Work {
  return async (report, signal) => {
    await report(0, rows, 'begins');
    const parts = Math.min(PARTS, rows);
    for (let part = 1; part <= parts; part++) {
      await pause(partMs, undefined, { signal });
      await report(Math.floor((rows * part) / parts), rows);
    }
    return { rows, file: `/exports/${rows}.csv` };
  };
}
