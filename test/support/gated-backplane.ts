// A backplane that stands before another one and holds back or fails its calls when a test says so. Knows no adapter.

import type { Backplane, BackplaneListener } from '../../src/core/ports/backplane.js';

type Calls = Pick<
  Backplane,
  'append' | 'read' | 'tops' | 'subscribe' | 'unsubscribe' | 'enter' | 'exit' | 'members' | 'control'
>;
export type Method = keyof Calls;

/** Where calls wait: before they are carried out, or with the answer already made. */
export type Stage = 'request' | 'answer';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Gate {
  private readonly waiters: Waiter[] = [];

  constructor(
    readonly stage: Stage,
    private readonly remove: () => void,
  ) {}

  /** Calls that wait here. */
  get waiting(): number {
    return this.waiters.length;
  }

  /** Lets all that wait go on, in order, and later calls pass. */
  open(): void {
    this.remove();
    for (const { resolve } of this.waiters.splice(0)) resolve();
  }

  /** Fails all that wait; later calls pass. */
  fail(error: unknown): void {
    this.remove();
    for (const { reject } of this.waiters.splice(0)) reject(error);
  }

  pass(): Promise<void> {
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }
}

export class GatedBackplane implements Backplane {
  readonly name = 'gated';
  /** How often each method was called. */
  readonly calls = new Map<Method, number>();
  private readonly gates = new Map<Method, Gate>();

  constructor(private readonly inner: Backplane) {}

  /** Calls of this method wait from now on, until the gate is opened. */
  hold(method: Method, stage: Stage = 'answer'): Gate {
    const gate: Gate = new Gate(stage, () => {
      if (this.gates.get(method) === gate) this.gates.delete(method);
    });
    this.gates.set(method, gate);
    return gate;
  }

  count(method: Method): number {
    return this.calls.get(method) ?? 0;
  }

  start(listener: BackplaneListener): Promise<void> {
    return this.inner.start(listener);
  }

  stop(): Promise<void> {
    return this.inner.stop();
  }

  healthy(): boolean {
    return this.inner.healthy();
  }

  append(...args: Parameters<Calls['append']>): ReturnType<Calls['append']> {
    return this.through('append', () => this.inner.append(...args));
  }

  read(...args: Parameters<Calls['read']>): ReturnType<Calls['read']> {
    return this.through('read', () => this.inner.read(...args));
  }

  tops(...args: Parameters<Calls['tops']>): ReturnType<Calls['tops']> {
    return this.through('tops', () => this.inner.tops(...args));
  }

  subscribe(...args: Parameters<Calls['subscribe']>): Promise<void> {
    return this.through('subscribe', () => this.inner.subscribe(...args));
  }

  unsubscribe(...args: Parameters<Calls['unsubscribe']>): Promise<void> {
    return this.through('unsubscribe', () => this.inner.unsubscribe(...args));
  }

  enter(...args: Parameters<Calls['enter']>): Promise<void> {
    return this.through('enter', () => this.inner.enter(...args));
  }

  exit(...args: Parameters<Calls['exit']>): Promise<void> {
    return this.through('exit', () => this.inner.exit(...args));
  }

  members(...args: Parameters<Calls['members']>): ReturnType<Calls['members']> {
    return this.through('members', () => this.inner.members(...args));
  }

  control(...args: Parameters<Calls['control']>): Promise<void> {
    return this.through('control', () => this.inner.control(...args));
  }

  revoke(...args: Parameters<Backplane['revoke']>): Promise<void> {
    return this.inner.revoke(...args);
  }

  keep(...args: Parameters<Backplane['keep']>): Promise<void> {
    return this.inner.keep(...args);
  }

  take(...args: Parameters<Backplane['take']>): ReturnType<Backplane['take']> {
    return this.inner.take(...args);
  }

  gather(...args: Parameters<Backplane['gather']>): ReturnType<Backplane['gather']> {
    return this.inner.gather(...args);
  }

  private async through<T>(method: Method, run: () => Promise<T>): Promise<T> {
    this.calls.set(method, this.count(method) + 1);
    const gate = this.gates.get(method);
    if (gate?.stage === 'request') await gate.pass();
    const answer = await run();
    if (gate?.stage === 'answer') await gate.pass();
    return answer;
  }
}
