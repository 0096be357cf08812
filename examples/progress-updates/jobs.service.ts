// Runs long jobs and tells the channel of each how far it is. Knows no HTTP.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { RealtimeService, TrunklineError } from '../../src/index.js';
import { JobError, type Work } from './job.js';

/** Jobs of one user at the same time. */
export const MAX_RUNNING = 3;
/** Ended jobs whose owner is remembered. As long as that, they may read how it ended. */
const MAX_ENDED = 10_000;
/** Milliseconds that jobs get to stop when the server does. One that does not listen to its signal is left behind. */
const STOP_MS = 2000;

interface Running {
  readonly user: string;
  readonly stop: AbortController;
  /** Resolves when the last event is told; never rejects. */
  readonly ended: Promise<void>;
}

@Injectable()
export class JobsService implements OnModuleDestroy {
  private readonly logger = new Logger('Jobs');
  private readonly running = new Map<string, Running>();
  /** Job → user, the one that ended first in front. A real service asks its database. */
  private readonly ended = new Map<string, string>();

  constructor(private readonly realtime: RealtimeService) {}

  /** Returns the id of the job at once. */
  start(user: string, work: Work): string {
    const own = [...this.running.values()].filter((job) => job.user === user);
    if (own.length >= MAX_RUNNING) {
      throw new TrunklineError('limit_exceeded', `You have ${own.length} jobs running. Wait for one to end.`);
    }
    const id = randomUUID();
    const stop = new AbortController();
    const ended = this.run(id, work, stop.signal).finally(() => this.forget(id, user));
    this.running.set(id, { user, stop, ended });
    return id;
  }

  isOwner(user: string | undefined, id: string): boolean {
    return user !== undefined && (this.running.get(id)?.user ?? this.ended.get(id)) === user;
  }

  /** One that has ended already is left as it is. */
  cancel(id: string): void {
    this.running.get(id)?.stop.abort(new JobError('cancelled'));
  }

  /** The channels still work at this moment of the shutdown, so each job can say what became of it. */
  async onModuleDestroy(): Promise<void> {
    const jobs = [...this.running.values()];
    for (const { stop } of jobs) stop.abort(new JobError('the server stops'));
    const late = pause(STOP_MS, undefined, { ref: false });
    await Promise.race([Promise.all(jobs.map(({ ended }) => ended)), late]);
  }

  private async run(id: string, work: Work, signal: AbortSignal): Promise<void> {
    const tell = (event: string, data: object): Promise<unknown> =>
      this.realtime.publish(`jobs:${id}`, event, data);
    try {
      const result = await work(async (done, total, note) => {
        signal.throwIfAborted();
        await tell('progress', note === undefined ? { done, total } : { done, total, note });
      }, signal);
      signal.throwIfAborted();
      await tell('done', { result: result ?? null });
    } catch (thrown) {
      const reason = this.reasonFor(id, signal.aborted ? signal.reason : thrown);
      await tell('failed', { reason }).catch((error: unknown) =>
        this.logger.error(`The end of job ${id} could not be told. ${String(error)}`),
      );
    }
  }

  private reasonFor(id: string, thrown: unknown): string {
    if (thrown instanceof JobError) return thrown.message;
    this.logger.error(`Job ${id} failed.`, thrown instanceof Error ? thrown.stack : String(thrown));
    return 'the job failed';
  }

  private forget(id: string, user: string): void {
    this.running.delete(id);
    this.ended.set(id, user);
    if (this.ended.size > MAX_ENDED) this.ended.delete(this.ended.keys().next().value as string);
  }
}
