// One instance of the server: the shipped core with the shipped transports over links without sockets. It starts, drains, crashes and
// comes back. Knows no client and no fault but its own.

import { Core } from '../../../src/core/core.js';
import { Heartbeat } from '../../../src/core/heartbeat.js';
import type { Identity } from '../../../src/core/identity.js';
import { SILENT_LOGGER } from '../../../src/core/ports/application.js';
import { RealtimeService } from '../../../src/core/realtime.service.js';
import { Revocations } from '../../../src/core/revocations.js';
import { PollingController } from '../../../src/transports/polling/polling.controller.js';
import { PollingService } from '../../../src/transports/polling/polling.service.js';
import { SseController } from '../../../src/transports/sse/sse.controller.js';
import { SseStreams } from '../../../src/transports/sse/sse.streams.js';
import { WS_JSON } from '../../../src/transports/ws/ws.format.js';
import type { Chance } from './chance.js';
import type { Exchange, SimRequest } from './http.js';
import { SimResponse } from './http.js';
import type { Connection } from './network.js';
import { answer, type Answering } from './routes.js';
import { ProcessClock, type Schedule } from './schedule.js';
import { CORE_OPTIONS, POLLING_OPTIONS, ROUTER, SSE_OPTIONS } from './settings.js';
import type { Joined, Store } from './store.js';
import { authenticator } from './tokens.js';
import { WsLink, type FakeSocket } from './web-socket.js';

const RETRY_START_MS = 400;
/** Milliseconds over which a drain spreads its clients. */
const DRAIN_MS = 1500;

/** From a start to the end of that process. */
export class Life implements Answering {
  readonly clock: ProcessClock;
  readonly core: Core;
  readonly realtime: RealtimeService;
  readonly sse: SseController;
  readonly polling: PollingController;
  readonly authenticate: (token: string) => Promise<Identity>;
  private readonly joined: Joined;
  private readonly links = new Set<WsLink>();
  private readonly heartbeat: Heartbeat<WsLink>;
  private readonly streams: SseStreams;
  private readonly polls: PollingService;
  /** Something went wrong that never should. */
  readonly fault: (text: string) => void;
  alive = true;

  constructor(
    readonly name: string,
    schedule: Schedule,
    store: Store,
    { chance, fault }: { readonly chance: Chance; readonly fault: (text: string) => void },
  ) {
    this.fault = fault;
    const clock = (this.clock = new ProcessClock(schedule));
    this.joined = store.join(name, clock, chance.of('backplane'));
    const { backplane } = this.joined;
    const random = chance.of('core');
    const revocations = new Revocations(clock, CORE_OPTIONS);
    const auth = authenticator(clock, revocations);
    this.authenticate = (token) => auth.authenticate(token);
    this.core = new Core({
      backplane,
      router: ROUTER,
      authenticator: auth,
      hooks: { onConnect: async () => [] },
      newGate: () => ({ take: () => 0 }),
      clock,
      random,
      // What the server itself calls an error is one, whatever its clients make of it.
      logger: { ...SILENT_LOGGER, error: (message, fields) => fault(`${message} ${JSON.stringify(fields)}`) },
      options: CORE_OPTIONS,
      revocations,
    });
    this.realtime = new RealtimeService(this.core, backplane);
    this.heartbeat = new Heartbeat(clock, CORE_OPTIONS.heartbeatMs);
    this.streams = new SseStreams(this.core, SSE_OPTIONS, clock, random);
    this.sse = new SseController(this.core, this.streams, SSE_OPTIONS);
    this.polls = new PollingService(this.core, clock, ROUTER);
    this.polling = new PollingController(this.polls, POLLING_OPTIONS);
  }

  start(): Promise<void> {
    return this.core.start();
  }

  /** A WebSocket wants in. What is refused before the 101 is a broken connection to a page. */
  async upgrade(connection: Connection, socket: FakeSocket, token: string | undefined): Promise<void> {
    try {
      this.core.admission.check();
      const identity = await this.authenticate(token ?? '');
      if (connection.over) return;
      this.core.admission.check(identity);
      const link = new WsLink(connection, socket, (gone) => {
        this.links.delete(gone);
        this.heartbeat.remove(gone);
      });
      // Between the 101 and the first frame nothing may be lost, so the client hears of both in order.
      connection.toClient.send(() => socket.opened(link));
      this.links.add(link);
      this.heartbeat.add(link);
      socket.link = link;
      link.session = this.core.openSession({ identity, format: WS_JSON, link });
    } catch {
      connection.toClient.end(() => {
        connection.finish();
        socket.ended(1006, 'refused');
      });
    }
  }

  request(connection: Connection, exchange: Exchange, request: SimRequest): SimResponse {
    const response = new SimResponse(connection, exchange, request);
    void answer(this, request, response);
    return response;
  }

  /** As the shipped shutdown: tell all to move, end every transport, leave the backplane. */
  async drain(): Promise<void> {
    await this.core.drain(DRAIN_MS);
    this.polls.onModuleDestroy();
    this.streams.onModuleDestroy();
    this.heartbeat.stop();
    await this.core.stop();
  }

  /** Nothing of it runs any more. */
  vanish(silent: boolean): void {
    this.alive = false;
    this.clock.end();
    this.joined.vanish(silent);
  }
}

export type State = 'starting' | 'up' | 'draining' | 'down';

export class Instance {
  state: State = 'down';
  life: Life | undefined;
  private lives = 0;

  constructor(
    readonly name: string,
    private readonly parts: {
      readonly schedule: Schedule;
      readonly store: Store;
      readonly chance: Chance;
      /** Ends its connections; `silent`: nobody is told. */
      readonly onEnd: (name: string, silent: boolean) => void;
      readonly note: (text: string) => void;
      readonly fault: (text: string) => void;
    },
  ) {}

  /** Tries until Redis is there, as a supervisor would. */
  start(): void {
    if (this.state !== 'down') return;
    const { schedule, store, note, fault } = this.parts;
    const chance = this.parts.chance.of(`${this.name}.${++this.lives}`);
    const life = new Life(this.name, schedule, store, { chance, fault });
    this.state = 'starting';
    this.life = life;
    life.start().then(
      () => {
        if (!life.alive) return;
        this.state = 'up';
        note(`${this.name} is up`);
      },
      () => {
        if (!life.alive) return;
        this.end(life, false);
        schedule.at(schedule.now + RETRY_START_MS, () => this.start());
      },
    );
  }

  crash(silent: boolean): boolean {
    const { life } = this;
    if (life === undefined) return false;
    this.end(life, silent);
    return true;
  }

  drain(): boolean {
    const { life } = this;
    if (life === undefined || this.state !== 'up') return false;
    this.state = 'draining';
    void life.drain().then(() => {
      if (!life.alive) return;
      this.parts.note(`${this.name} has drained`);
      this.end(life, false);
    });
    return true;
  }

  private end(life: Life, silent: boolean): void {
    life.vanish(silent);
    this.parts.onEnd(this.name, silent);
    this.life = undefined;
    this.state = 'down';
  }
}
