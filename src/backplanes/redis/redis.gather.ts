// One node asks, all nodes answer, by plain pub/sub: an answer that is lost is an answer left out, never a wrong one.

import type { Question } from '../../core/ports/backplane.js';
import type { Clock } from '../../core/ports/time.js';
import { fromRedis, unavailable } from './redis.errors.js';
import type { RedisKeys } from './redis.keys.js';
import type { RedisClient } from './redis.scripts.js';

export interface GatherParts {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly node: string;
  /** How many nodes live, so that nobody waits longer than needed. */
  readonly living: () => Promise<number>;
}

/** Milliseconds all have to answer. */
const WAIT_MS = 1000;

interface Asked {
  readonly answers: unknown[];
  enough: number;
  readonly done: () => void;
}

interface Call {
  readonly id: number;
  readonly node: string;
  readonly question: Question;
}

interface Reply {
  readonly id: number;
  readonly answer: unknown;
}

export class RedisGather {
  private readonly asked = new Map<number, Asked>();
  private ids = 0;

  constructor(private readonly parts: GatherParts) {}

  async ask(question: Question): Promise<readonly unknown[]> {
    const { client, keys, clock, node, living } = this.parts;
    // A Cluster that is away keeps the question until it is back.
    if (client.status !== 'ready') throw unavailable();
    const id = ++this.ids;
    const answers: unknown[] = [];
    const over = new Promise<void>((resolve) => {
      const cancel = clock.after(WAIT_MS, () => resolve());
      const done = (): void => {
        cancel();
        resolve();
      };
      this.asked.set(id, { answers, enough: Infinity, done });
    });
    try {
      const call: Call = { id, node, question };
      await client.publish(keys.ask(), JSON.stringify(call));
      // Whoever cannot be counted is waited for to the end.
      living().then(
        (count) => this.expect(id, count),
        () => {},
      );
      await over;
      return answers;
    } catch (error) {
      throw fromRedis(error, 'read');
    } finally {
      this.asked.delete(id);
    }
  }

  /** Somebody asks: `answer` says what this node has to say. */
  called(payload: string, answer: (question: Question) => unknown): void {
    const { id, node, question } = JSON.parse(payload) as Call;
    const reply: Reply = { id, answer: answer(question) };
    void this.parts.client.publish(this.parts.keys.answers(node), JSON.stringify(reply)).catch(() => {});
  }

  answered(payload: string): void {
    const { id, answer } = JSON.parse(payload) as Reply;
    const asked = this.asked.get(id);
    if (asked === undefined) return;
    if (answer !== undefined) asked.answers.push(answer);
    else asked.enough--;
    this.settle(asked);
  }

  private expect(id: number, count: number): void {
    const asked = this.asked.get(id);
    if (asked === undefined) return;
    asked.enough = count;
    this.settle(asked);
  }

  private settle({ answers, enough, done }: Asked): void {
    if (answers.length >= enough) done();
  }
}
