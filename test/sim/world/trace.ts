// A history for people: one line for each thing that happened, its time first, with an arrow at those a breach speaks of. Knows no rule.

import type { Entry } from '../../checker/history.js';
import type { Outcome } from './run.js';

export function describeOutcome({ plan, breaches, steps, virtualMs }: Outcome): string {
  const users = plan.users.map(({ user, kind }, at) => `c${at + 1} ${kind} as ${user}`).join(', ');
  const head = `seed ${plan.seed}, profile ${plan.profile}: ${plan.instances} instances; ${users}; ${plan.steps.length} lines in its plan, ${steps} steps, ${virtualMs} ms`;
  const told = breaches.map(
    ({ rule, text, lines }) =>
      `  rule ${rule}: ${text}${lines.length > 0 ? ` (lines ${lines.join(', ')})` : ''}`,
  );
  return [head, ...told].join('\n');
}

export function traceOf({ lines, breaches }: Outcome): string {
  const marked = new Set(breaches.flatMap((breach) => breach.lines));
  return lines
    .map(({ at, entry }) => {
      const time = 't' in entry ? `${entry.t.toFixed(3).padStart(10)} ms` : ''.padStart(13);
      return `${marked.has(at) ? '→' : ' '}${String(at).padStart(5)} ${time}  ${textOf(entry)}`;
    })
    .join('\n');
}

function textOf(entry: Entry): string {
  switch (entry.k) {
    case 'invoke':
      return `publication ${entry.op} to ${entry.c}${entry.n > 1 ? `, try ${entry.n}` : ''}${entry.key === undefined ? ', without a key' : ''}`;
    case 'ok':
      return `publication ${entry.op} stands at ${entry.offset} of ${entry.epoch} (${entry.id})${entry.dup ? ', as before' : ''}`;
    case 'fail':
      return `publication ${entry.op} was refused: ${entry.code}`;
    case 'unknown':
      return `publication ${entry.op}: nobody knows (${entry.code})`;
    case 'begin':
      return `${entry.s} stands at ${entry.offset} of ${entry.c} (${entry.epoch})${entry.why === undefined ? '' : `, told ${entry.why}`}`;
    case 'msg':
      return `${entry.s} hears ${entry.offset} of ${entry.c} (${entry.id}): publication ${entry.op}`;
    case 'leave':
      return `${entry.s} has left ${entry.c}`;
    case 'note':
      return entry.text;
    case 'lost':
      return 'the store loses something';
    case 'kept':
      return `before loss ${entry.n} the log of ${entry.c} had ${entry.offset} (${entry.id}): publication ${entry.op}`;
    case 'log':
      return `at the end the log of ${entry.c} has ${entry.offset} (${entry.id}): publication ${entry.op}`;
    case 'top':
      return `at the end the top of ${entry.c} is ${entry.offset} of ${entry.epoch}, kept from ${entry.from ?? 1}`;
  }
}
