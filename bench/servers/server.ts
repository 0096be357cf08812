// What the runner must know of a server under test: how to start it, and how a client talks to it.
import type { Dialect } from '../lib/load.js';

export interface LaunchContext {
  readonly port: number;
  readonly secret: string;
  /** Of the Redis that a pair shares. */
  readonly redisUrl?: string;
}

export interface Launch {
  /** Arguments of `node`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface BenchServer {
  readonly name: string;
  /** One sentence for `--help` and the tables' legend. */
  readonly about: string;
  /** Why the server cannot run here, and what to do; undefined when it can. */
  unavailable?(): string | undefined;
  launch(context: LaunchContext): Launch;
  /** Answers 2xx once the server serves. */
  readonly readyPath: string;
  dialect(token: string): Dialect;
  /** Two of them over one Redis: the sockets are on the second, messages are published on the first. */
  readonly pair?: boolean;
}
