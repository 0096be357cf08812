// Judges a history by the ten rules, and that nothing acknowledged is missing. Knows no server: only what publishers and readers wrote down.

import { Facts, type Breach, type Rules } from './facts.js';
import type { Line } from './history.js';
import type { Operation } from './operations.js';
import { checkReaders } from './readers-check.js';
import { checkSuccession } from './succession-check.js';

/** In the order they were found; empty when all holds. O(n log n). */
export function check(lines: readonly Line[], rules: Rules = {}): readonly Breach[] {
  const facts = new Facts(lines, rules);
  checkRefused(facts);
  checkKeys(facts);
  checkLog(facts);
  checkRealTime(facts);
  checkReaders(facts);
  checkSuccession(facts);
  return facts.breaches;
}

/** Rule 4. */
function checkRefused(facts: Facts): void {
  const refused = new Map<number, Operation>();
  for (const operation of facts.operations.values())
    if (operation.refused) refused.set(operation.op, operation);
  for (const { at, entry } of facts.lines) {
    if (entry.k !== 'msg' && entry.k !== 'log') continue;
    const operation = refused.get(entry.op);
    if (operation !== undefined)
      facts.breach('4', `Publication ${entry.op} was refused and is there.`, operation.lastAt, at);
  }
}

/** Rule 8, for keys that several publications share; one publication with its attempts is rule 1. */
function checkKeys(facts: Facts): void {
  const first = new Map<string, Operation>();
  for (const operation of facts.operations.values()) {
    const { key, ok, channel } = operation;
    if (key === undefined || ok === undefined) continue;
    const name = facts.rules.losesLog === true ? `${channel} ${key} ${ok.epoch}` : `${channel} ${key}`;
    const other = first.get(name);
    if (other?.ok === undefined) first.set(name, operation);
    else if (facts.lostBetween(other.invoked, operation.answered)) continue;
    else if (other.ok.offset !== ok.offset || other.ok.epoch !== ok.epoch)
      facts.breach(
        '8',
        `Key ${key} gave ${other.ok.offset} and ${ok.offset}.`,
        other.lastAt,
        operation.lastAt,
      );
  }
}

/** Rule 2, and that nothing acknowledged is missing. */
function checkLog(facts: Facts): void {
  const logged = new Map<string, Set<number>>();
  for (const { entry } of facts.lines) {
    if (entry.k !== 'log') continue;
    const where = `${entry.c} ${entry.epoch}`;
    const offsets = logged.get(where) ?? new Set<number>();
    logged.set(where, offsets.add(entry.offset));
  }
  for (const { c, epoch, offset: top, from = 1 } of facts.tops.values()) {
    const offsets = logged.get(`${c} ${epoch}`) ?? new Set<number>();
    for (let offset = from; offset <= top; offset++)
      if (!offsets.has(offset))
        facts.breach('2', `Offset ${offset} of ${c} is not in the log; its top is ${top}.`);
    for (const [offset, { at }] of facts.places.get(`${c} ${epoch}`) ?? [])
      if (offset > top && facts.losses.length === 0)
        facts.breach('2', `Offset ${offset} of ${c} is over its top ${top}.`, at);
  }
  for (const { op, channel, ok, okAt, invoked } of facts.operations.values()) {
    const top = facts.tops.get(channel);
    if (ok === undefined || top === undefined) continue;
    if (facts.lostBetween(invoked, Infinity) || (ok.epoch === top.epoch && ok.offset < (top.from ?? 1)))
      continue;
    const there = logged.get(`${channel} ${ok.epoch}`)?.has(ok.offset) === true;
    if (there || (facts.rules.losesLog === true && ok.epoch !== top.epoch)) continue;
    facts.breach(
      'acknowledged',
      `Publication ${op} of ${channel} was acknowledged at ${ok.offset} and is gone.`,
      okAt,
    );
  }
}

/** Rule 3: what was answered before another was sent stands before it. */
function checkRealTime(facts: Facts): void {
  const groups = new Map<string, Accepted[]>();
  for (const operation of facts.operations.values()) {
    if (!isAccepted(operation)) continue;
    const { channel, ok, invoked, answered } = operation;
    // Between two losses each; what a loss fell into may stand anywhere.
    if (facts.lostBetween(invoked, answered)) continue;
    const before = facts.losses.filter(({ t }) => t < invoked).length;
    const where = `${channel} ${ok.epoch} ${before}`;
    const group = groups.get(where);
    if (group === undefined) groups.set(where, [operation]);
    else group.push(operation);
  }
  for (const group of groups.values()) {
    const byAnswer = [...group].sort((a, b) => a.answered - b.answered);
    let highest: Accepted | undefined;
    let next = 0;
    for (const entry of group.sort((a, b) => a.invoked - b.invoked)) {
      for (
        let done = byAnswer[next];
        done !== undefined && done.answered < entry.invoked;
        done = byAnswer[++next]
      )
        if (highest === undefined || done.ok.offset > highest.ok.offset) highest = done;
      if (highest !== undefined && highest.ok.offset >= entry.ok.offset)
        facts.breach(
          '3',
          `Publication ${entry.op} stands at ${entry.ok.offset}, before ${highest.op} at ${highest.ok.offset}, which was answered before it was sent.`,
          highest.okAt,
          entry.okAt,
        );
    }
  }
}

type Accepted = Operation & { readonly ok: NonNullable<Operation['ok']> };

function isAccepted(operation: Operation): operation is Accepted {
  return operation.ok !== undefined;
}
