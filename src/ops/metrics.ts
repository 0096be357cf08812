// Metrics in Prometheus text: reads the plain counters of the core at a scrape, so that the road of a message pays nothing.

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { AuthStats } from '../auth/auth.stats.js';
import type { CoreStats, Operations } from '../core/operations.js';
import type { FaultCounts } from './last-resort.js';

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
  /** What nobody handled; the process counts, and two applications in one process count apart. */
  readonly faults: FaultCounts = { exceptions: 0, rejections: 0 };
  private readonly registry = new Registry();

  constructor(
    private readonly operations: Operations,
    private readonly auth = new AuthStats(),
  ) {
    collectDefaultMetrics({ register: this.registry });
    for (const [name, help, read] of COUNTERS) this.counter(name, help, read);
    this.gauge('channels', 'Channels with listeners on this instance.', () => operations.counts().channels);
    this.gauge('users', 'Users with sessions on this instance.', () => operations.counts().users);
    this.gauge(
      'revocations',
      'Revocations that every login is checked against.',
      () => operations.revocations,
    );
    this.gauge(
      'token_keys',
      'Public keys that tokens are checked with; 0 with a secret, or while none could be fetched.',
      () => auth.keys,
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
    const { auth } = this;
    table(
      'jwks_fetches_total',
      'outcome',
      'Fetches of the key set of TRUNKLINE_JWKS_URL, by outcome.',
      () => [
        ['ok', auth.keyFetches],
        ['failed', auth.keyFetchFailures],
      ],
    );
    table(
      'api_key_uses_total',
      'key',
      'Credentials that were an API key, by its name.',
      () => auth.apiKeyUses,
    );
    table('tickets_total', 'outcome', 'One-time tickets of this instance, by outcome.', () =>
      Object.entries(auth.tickets),
    );
    table('unhandled_total', 'kind', 'Exceptions and rejections that nobody handled.', () =>
      Object.entries(this.faults),
    );
    new Counter({
      name: `${PREFIX}limit_hits_total`,
      help: 'Times a limit was over, by its name and by what came of it.',
      labelNames: ['limit', 'outcome'],
      registers,
      collect() {
        this.reset();
        for (const { limit, refused, spared } of stats.limits.rows()) {
          this.inc({ limit, outcome: 'refused' }, refused);
          this.inc({ limit, outcome: 'dry_run' }, spared);
        }
      },
    });
    table('resumes_total', 'outcome', 'Resumes asked for, by outcome.', () => Object.entries(stats.resumes));
  }
}
