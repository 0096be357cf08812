// Metrics in Prometheus text: reads the plain counters of the core at a scrape, so that the road of a message pays nothing.

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { CoreStats, Operations } from '../core/operations.js';

const PREFIX = 'trunkline_';

/** Name, help, and where the figure stands. */
const COUNTERS: readonly [string, string, (stats: CoreStats) => number][] = [
  ['publications_total', 'Publications the log accepted from this instance.', (stats) => stats.published],
  [
    'publications_duplicate_total',
    'Publishes answered from an idempotency key.',
    (stats) => stats.duplicatesSuppressed,
  ],
  ['deliveries_total', 'Publications handed to transports live.', (stats) => stats.delivered],
  ['replays_total', 'Publications given in subscribe replies.', (stats) => stats.replayed],
  [
    'outbox_dropped_total',
    'Publications left out by an overflow policy, each told in a gap.',
    (stats) => stats.dropped,
  ],
  [
    'discontinuities_total',
    'Gaps told to sessions, refused resumes included.',
    (stats) => stats.discontinuities,
  ],
  ['repairs_total', 'Publications missed on the bus and read from the log.', (stats) => stats.repaired],
  ['bus_duplicates_total', 'Publications that came twice on the bus.', (stats) => stats.busDuplicates],
  ['revoked_sessions_total', 'Sessions closed because their token was revoked.', (stats) => stats.revoked],
  ['frames_total', 'Commands of clients that were carried out.', (stats) => stats.frames],
];

/** Shown as 0 from the start, so that a graph has no hole. */
const TRANSPORTS = ['ws', 'sse', 'polling'];

export class Metrics {
  private readonly registry = new Registry();

  constructor(private readonly operations: Operations) {
    collectDefaultMetrics({ register: this.registry });
    for (const [name, help, read] of COUNTERS) this.counter(name, help, read);
    this.gauge('channels', 'Channels with listeners on this instance.', () => operations.counts().channels);
    this.gauge('users', 'Users with sessions on this instance.', () => operations.counts().users);
    this.gauge(
      'revocations',
      'Revocations that every login is checked against.',
      () => operations.revocations,
    );
    this.gauge('draining', '1 while this instance drains.', () => (operations.draining ? 1 : 0));
    this.gauge('backplane_up', '1 while the backplane takes publications.', () =>
      operations.healthy() ? 1 : 0,
    );
    this.labelled();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private counter(name: string, help: string, read: (stats: CoreStats) => number): void {
    const { stats } = this.operations;
    const registers = [this.registry];
    new Counter({
      name: PREFIX + name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(stats));
      },
    });
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: PREFIX + name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  private labelled(): void {
    const { operations } = this;
    const { stats } = operations;
    const registers = [this.registry];
    new Gauge({
      name: `${PREFIX}sessions`,
      help: 'Sessions on this instance by transport.',
      labelNames: ['transport'],
      registers,
      collect() {
        this.reset();
        for (const transport of TRANSPORTS) this.set({ transport }, 0);
        for (const [transport, count] of operations.sessionsByTransport()) this.set({ transport }, count);
      },
    });
    const table = (
      name: string,
      label: string,
      help: string,
      read: () => Iterable<[string | number, number]>,
    ): void => {
      new Counter({
        name: PREFIX + name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          for (const [key, count] of read()) this.inc({ [label]: String(key) }, count);
        },
      });
    };
    table('closes_total', 'code', 'Sessions ended, by close code.', () => stats.closes);
    table('errors_total', 'code', 'Error replies, by code.', () => stats.errors);
    table('resumes_total', 'outcome', 'Resumes asked for, by outcome.', () => Object.entries(stats.resumes));
  }
}
