// One run's whole world: schedule, network, Redis, instances and users, put together from a plan. Knows no operation and no rule.

import { Chance } from './chance.js';
import type { Exchange, SimRequest, SimResponse } from './http.js';
import { Instance, type Life } from './instance.js';
import { Journal } from './journal.js';
import { Network, type Delay } from './network.js';
import type { Plan } from './plan.js';
import { Schedule } from './schedule.js';
import { CHANNELS } from './settings.js';
import { Store } from './store.js';
import { User, type Page } from './user.js';
import type { FakeSocket } from './web-socket.js';
import { WireTap } from './wire-tap.js';

const FAR: Delay = { usual: 12, spike: 150 };
/** Milliseconds until a page hears that nobody takes its connection. */
const REFUSED_MS = 5;
/** Share of new connections that a balancer still leads to an instance that drains. */
const STALE_ROUTES = 0.1;
export class World {
  readonly schedule = new Schedule();
  readonly journal = new Journal(this.schedule);
  readonly network: Network;
  readonly store: Store;
  readonly instances: readonly Instance[];
  readonly users: readonly User[];
  private readonly chance: Chance;
  /** Something went wrong in an instance that never should. */
  onFault: (text: string) => void = () => {};
  /** Times that Redis lost something. */
  losses = 0;
  /** Redis may have forgotten who came or went. */
  presenceLost = false;
  private wires = 0;

  constructor(plan: Plan) {
    const { seed } = plan;
    const { schedule, journal } = this;
    this.chance = new Chance(seed, 'balancer');
    this.network = new Network(schedule, new Chance(seed, 'network'));
    this.store = new Store(schedule, this.network, new Chance(seed, 'redis'));
    const parts = {
      schedule,
      store: this.store,
      chance: new Chance(seed, 'instances'),
      onEnd: (name: string, silent: boolean) => this.drop(name, silent),
      note: (text: string) => journal.note(text),
      fault: (text: string) => this.onFault(text),
    };
    this.instances = Array.from({ length: plan.instances }, (_, at) => new Instance(`i${at + 1}`, parts));
    this.users = plan.users.map(
      ({ user, kind }, at) =>
        new User({
          name: `c${at + 1}`,
          user,
          kind,
          schedule,
          chance: new Chance(seed, `user ${at + 1}`),
          journal,
          dial: (page, socket, token) => this.dial(page, socket, token),
          send: (page, request, exchange) => this.send(page, request, exchange),
          onGone: (name, silent) => this.drop(name, silent),
        }),
    );
  }

  get lives(): readonly Life[] {
    return this.instances.flatMap(({ life, state }) =>
      life === undefined || state === 'starting' ? [] : [life],
    );
  }

  /** Redis is about to lose something: what it has now is written down, since nothing can tell it afterwards. */
  lose(): void {
    const { journal, store } = this;
    this.losses++;
    for (const c of CHANNELS) {
      const epoch = store.top(c)?.epoch ?? '';
      for (const row of store.log(c)) journal.add({ k: 'kept', n: this.losses, c, epoch, ...row });
    }
    journal.add({ k: 'lost', t: journal.now() });
  }

  /** Every connection of a process that is gone. */
  drop(name: string, silent: boolean): void {
    for (const connection of this.network.of(name))
      connection.drop(connection.client === name ? 'client' : 'server', silent);
  }

  /** Where the balancer leads a new connection; undefined when nobody is there. */
  private route(): Instance | undefined {
    const up = this.instances.filter(({ state }) => state === 'up');
    const draining = this.instances.filter(({ state }) => state === 'draining');
    if (draining.length > 0 && this.chance.happens(STALE_ROUTES)) return this.chance.pick(draining);
    return up.length === 0 ? undefined : this.chance.pick(up);
  }

  private dial({ owner }: Page, socket: FakeSocket, token: string | undefined): void {
    const { schedule, network, journal } = this;
    const { name, blocked } = owner;
    const instance = this.route();
    if (instance === undefined || blocked.has('websocket')) {
      schedule.at(schedule.now + REFUSED_MS, () => socket.ended(1006, 'refused'));
      return;
    }
    const ends = {
      breakClient: () => socket.ended(1006, 'broken'),
      breakServer: () => socket.link?.gone(1006),
    };
    const connection = network.open({ client: name, server: instance.name, ends, delay: FAR });
    socket.connection = connection;
    socket.tap = new WireTap(`w${++this.wires}.${name}`, journal);
    const { life } = instance;
    connection.toServer.send(() => {
      if (life?.alive === true) void life.upgrade(connection, socket, token);
    });
  }

  private send({ owner }: Page, request: SimRequest, exchange: Exchange): void {
    const { schedule, network } = this;
    const { name, blocked } = owner;
    const instance = this.route();
    if (instance === undefined || blocked.has(request.path)) {
      schedule.at(schedule.now + REFUSED_MS, () => exchange.finish(new TypeError('fetch failed')));
      return;
    }
    let response: SimResponse | undefined;
    const ends = {
      breakClient: () => exchange.finish(new TypeError('terminated')),
      breakServer: () => response?.gone(),
    };
    const connection = network.open({ client: name, server: instance.name, ends, delay: FAR });
    exchange.connection = connection;
    const { life } = instance;
    connection.toServer.send(() => {
      if (life?.alive === true) response = life.request(connection, exchange, request);
    });
  }
}
