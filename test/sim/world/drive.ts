// Runs steps one after another, each with every promise it sets going, and keeps real time and chance away meanwhile. Knows no world.

import { START_MS } from './schedule.js';

/** `globalThis` as far as it is exchanged for a run. */
interface Platform {
  setTimeout: unknown;
  setInterval: unknown;
  setImmediate: unknown;
}

const nextTick = process.nextTick.bind(process);
const { setImmediate: nextTurn } = globalThis;

/** How the steps of a run follow each other. `seal` is closed when it is called, and when it resolves. */
export type Drive = (step: () => boolean, seal: Seal) => Promise<void>;

/**
 * Resolves when `step` has returned false. Node takes the next tick only when no microtask is left, so each step finds every promise of
 * the one before settled. Nobody else may ask for a tick meanwhile (the seal sees to that): then none is left behind either. The real
 * event loop stands still until the end, so nothing of the real world comes between.
 */
export function drive(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        if (!step()) return resolve();
      } catch (error) {
        return reject(error);
      }
      queueMicrotask(again);
    };
    const again = (): void => nextTick(turn);
    again();
  });
}

/** As `drive`, by whole turns of the event loop: slower, and beyond doubt. Whatever differs shows that something was left behind. */
export function driveByTurns(step: () => boolean, seal: Seal): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      seal.close();
      try {
        if (!step()) return resolve();
      } catch (error) {
        return reject(error);
      }
      // Promises first: after the next turn the real world has its own again, until the step after it.
      nextTurn(turn);
      queueMicrotask(() => nextTick(() => seal.open()));
    };
    nextTurn(turn);
    seal.open();
  });
}

/** Lets the real world have its turn, between two runs. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => void nextTurn(resolve));
}

/** What was asked of the real world during a run; each is a road by which two runs of one seed could differ. */
export class Seal {
  readonly broken: string[] = [];
  private readonly before: (() => void)[] = [];

  constructor(private readonly now: () => number = () => START_MS) {}

  close(): void {
    if (this.before.length > 0) return;
    const platform = globalThis as unknown as Platform;
    this.swap(platform, 'setTimeout', this.forbidden('setTimeout'));
    this.swap(platform, 'setInterval', this.forbidden('setInterval'));
    this.swap(platform, 'setImmediate', this.forbidden('setImmediate'));
    this.swap(process, 'nextTick', this.forbidden('process.nextTick'));
    this.swap(performance, 'now', this.forbidden('performance.now'));
    this.swap(Math, 'random', this.forbidden('Math.random'));
    this.swap(crypto, 'getRandomValues', this.forbidden('crypto.getRandomValues'));
    // The wall clock of a page has no port; it is the world's.
    this.swap(Date, 'now', () => this.now());
  }

  open(): void {
    for (const undo of this.before.splice(0).reverse()) undo();
  }

  private forbidden(name: string): () => never {
    return () => {
      if (this.broken.length < 20)
        this.broken.push(`${name} ${new Error(name).stack?.split('\n')[2]?.trim()}`);
      throw new Error(`${name} was asked for in a run.`);
    };
  }

  private swap<T extends object>(target: T, name: keyof T, value: unknown): void {
    const own = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    this.before.push(() => {
      if (own === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, own);
    });
  }
}
