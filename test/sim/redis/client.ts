// The client library as the backplane uses it, over a connection of the simulated network: the same states, events, times and errors as
// ioredis with our options. Knows no key and no script.

import { EventEmitter } from 'node:events';
import type { ClientDefaults } from '../../../src/backplanes/redis/redis.connection.js';
import type { Cancel, Clock } from '../../../src/core/ports/time.js';
import * as errors from './errors.js';
import type { Caller, Network } from './port.js';
import type { Reply } from './scripts/script.js';
import { Socket, type ClientEnd, type ServerEnd } from './socket.js';

export interface ClientParts {
  readonly caller: Caller;
  readonly network: Network;
  readonly server: ServerEnd;
  readonly clock: Clock;
  readonly defaults: ClientDefaults;
}

type Status = 'wait' | 'connecting' | 'connect' | 'ready' | 'close' | 'reconnecting' | 'end';
type Arg = string | number;

/** Of the library, when nothing is said. */
const CONNECT_MS = 10_000;
const DISCONNECT_MS = 2000;

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  /** When the time of the command is over. */
  readonly late: number;
  settled: boolean;
}

/** Bytes on the wire are UTF-8, which has no half of a surrogate pair. */
type Text = string & { isWellFormed(): boolean; toWellFormed(): string };

export class FakeRedisClient extends EventEmitter {
  status: Status = 'wait';
  readonly options = { db: 0 };
  private socket: Socket | undefined;
  private writable = false;
  private manuallyClosing = false;
  private vanished = false;
  private attempts = 0;
  private epoch = 0;
  /** Sent and not answered; what timed out stays, since its answer may come. */
  private queue: Pending[] = [];
  /** Commands wait, and nothing has come since. */
  private silentSince: number | undefined;
  private cancelWatch: Cancel | undefined;
  private cancelRetry: Cancel | undefined;
  private cancelConnect: Cancel | undefined;
  private cancelEnd: Cancel | undefined;

  constructor(private readonly parts: ClientParts) {
    super();
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.status === 'connecting' || this.status === 'connect' || this.status === 'ready') {
        reject(new Error('Redis is already connecting/connected'));
        return;
      }
      const onReady = (): void => {
        this.off('close', onClose);
        resolve();
      };
      const onClose = (): void => {
        this.off('ready', onReady);
        reject(errors.connectionClosed());
      };
      this.once('ready', onReady);
      this.once('close', onClose);
      this.open();
    });
  }

  disconnect(reconnect = false): void {
    if (!reconnect) {
      this.manuallyClosing = true;
      this.cancelRetry?.();
    }
    if (this.status === 'wait') this.closed();
    else if (this.socket !== undefined) this.finish(this.socket);
  }

  /** The process is gone. */
  vanish(silent: boolean): void {
    this.vanished = true;
    this.writable = false;
    for (const cancel of [this.cancelWatch, this.cancelRetry, this.cancelConnect, this.cancelEnd]) cancel?.();
    if (silent) this.socket?.vanish();
    else this.socket?.destroy();
    this.queue = [];
    this.status = 'end';
    this.removeAllListeners();
  }

  readonly evalsha = this.command('evalsha');
  readonly eval = this.command('eval');
  readonly ping = this.command('ping');
  readonly info = this.command('info');
  readonly config = this.command('config');
  readonly wait = this.command('wait');
  readonly get = this.command('get');
  readonly set = this.command('set');
  readonly del = this.command('del');
  readonly getdel = this.command('getdel');
  readonly exists = this.command('exists');
  readonly pexpire = this.command('pexpire');
  readonly hget = this.command('hget');
  readonly hvals = this.command('hvals');
  readonly hscan = this.command('hscan');
  readonly sadd = this.command('sadd');
  readonly srem = this.command('srem');
  readonly smembers = this.command('smembers');
  readonly srandmember = this.command('srandmember');
  readonly xrange = this.command('xrange');
  readonly xrevrange = this.command('xrevrange');
  readonly publish = this.command('publish');
  readonly subscribe = this.command('subscribe');
  readonly unsubscribe = this.command('unsubscribe');

  private command(name: string): (...args: readonly Arg[]) => Promise<unknown> {
    return (...args) => this.send(name, args, this.status === 'ready');
  }

  private send(name: string, args: readonly Arg[], allowed: boolean): Promise<Reply> {
    if (this.vanished) return new Promise(() => {});
    if (this.status === 'end') return Promise.reject(errors.connectionClosed());
    const { socket } = this;
    if (!allowed || !this.writable || socket === undefined) return Promise.reject(errors.notWritable());
    return new Promise((resolve, reject) => {
      const now = this.parts.clock.now();
      const late = now + (this.parts.defaults.commandTimeout ?? Infinity);
      this.queue.push({ resolve, reject, late, settled: false });
      this.silentSince ??= now;
      if (this.cancelWatch === undefined) this.watch();
      socket.request({ name, args: args.map(asText) });
    });
  }

  private open(): void {
    const { clock, defaults, ...parts } = this.parts;
    const epoch = ++this.epoch;
    const alone = (run: () => void): void => {
      if (epoch === this.epoch && !this.vanished) run();
    };
    const end: ClientEnd = {
      connected: () => alone(() => this.greet()),
      refused: () => alone(() => this.closed(errors.refused())),
      reply: (reply) => alone(() => this.replied(reply)),
      push: (channel, payload) => alone(() => this.pushed(channel, payload)),
      ended: (reset) => alone(() => this.closed(reset ? errors.reset() : undefined)),
    };
    this.writable = true;
    this.setStatus('connecting');
    this.socket = new Socket(parts.caller, parts.network, end, parts.server);
    const { connectTimeout = CONNECT_MS } = defaults;
    this.cancelConnect = clock.after(connectTimeout, () => this.destroy(errors.connectTimedOut()));
  }

  /** What the library asks before it is ready. */
  private greet(): void {
    this.cancelConnect?.();
    this.setStatus('connect');
    const { epoch } = this;
    const active = (): boolean => epoch === this.epoch && this.status === 'connect';
    this.send('hello', [3], true)
      .then(() => this.send('info', [], true))
      .then(
        () => {
          if (!active()) return;
          this.setStatus('ready');
          this.attempts = 0;
        },
        (error: unknown) => {
          if (!active()) return;
          this.flush(error as Error);
          this.trouble(error as Error);
          this.disconnect(true);
        },
      );
  }

  private replied(reply: Reply | Error): void {
    const item = this.queue.shift();
    this.heard();
    if (item === undefined || item.settled) return;
    item.settled = true;
    if (reply instanceof Error) item.reject(reply);
    else item.resolve(reply);
  }

  private pushed(channel: string, payload: string): void {
    this.heard();
    this.emit('message', channel, payload);
  }

  private heard(): void {
    this.silentSince = this.queue.length === 0 ? undefined : this.parts.clock.now();
  }

  /** One timer for all commands under way and for the silence of the connection, at whatever comes first. */
  private watch(): void {
    const { clock, defaults } = this.parts;
    const silent = (this.silentSince ?? Infinity) + (defaults.socketTimeout ?? Infinity);
    const oldest = this.queue.find(({ settled }) => !settled);
    const next = Math.min(silent, oldest?.late ?? Infinity);
    this.cancelWatch = next === Infinity ? undefined : clock.after(next - clock.now(), () => this.look());
  }

  private look(): void {
    const { clock, defaults } = this.parts;
    const now = clock.now();
    this.cancelWatch = undefined;
    for (const item of this.queue) {
      if (item.late > now) break;
      if (item.settled) continue;
      item.settled = true;
      item.reject(errors.commandTimedOut());
    }
    const { socketTimeout = Infinity } = defaults;
    if (this.silentSince !== undefined && this.silentSince + socketTimeout <= now) {
      this.silentSince = undefined;
      this.destroy(errors.socketTimedOut(socketTimeout));
    }
    this.watch();
  }

  /** Sends no more, and gives the other end some time to agree. */
  private finish(socket: Socket): void {
    if (!this.writable) return;
    this.writable = false;
    socket.finish();
    this.cancelEnd = this.parts.clock.after(this.parts.defaults.disconnectTimeout ?? DISCONNECT_MS, () =>
      this.destroy(),
    );
  }

  private destroy(error?: Error): void {
    const { socket, epoch } = this;
    if (socket === undefined) return;
    this.writable = false;
    this.socket = undefined;
    socket.destroy();
    queueMicrotask(() => {
      if (epoch === this.epoch && !this.vanished) this.closed(error);
    });
  }

  private closed(error?: Error): void {
    if (error !== undefined) this.trouble(error);
    for (const cancel of [this.cancelWatch, this.cancelConnect, this.cancelEnd]) cancel?.();
    this.cancelWatch = undefined;
    this.silentSince = undefined;
    this.socket = undefined;
    this.writable = false;
    // What the former connection still has to say is not heard.
    this.epoch++;
    this.setStatus('close');
    const { retryStrategy } = this.parts.defaults;
    const delay = this.manuallyClosing ? undefined : retryStrategy?.(++this.attempts);
    this.manuallyClosing = false;
    if (typeof delay !== 'number') {
      this.setStatus('end');
      this.flush(errors.connectionClosed());
      return;
    }
    this.setStatus('reconnecting');
    this.cancelRetry = this.parts.clock.after(delay, () => this.open());
    this.flush(errors.unanswered());
  }

  private flush(error: Error): void {
    const { queue } = this;
    this.queue = [];
    for (const item of queue) {
      if (item.settled) continue;
      item.settled = true;
      item.reject(error);
    }
  }

  private trouble(error: Error): void {
    if (this.status === 'end') return;
    if (this.manuallyClosing && 'syscall' in error) return;
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  /** Events come in a later turn than what they tell of, as in the library. */
  private setStatus(status: Status): void {
    this.status = status;
    queueMicrotask(() => this.emit(status));
  }
}

function asText(arg: Arg): string {
  if (typeof arg === 'number') return String(arg);
  const text = arg as Text;
  return text.isWellFormed() ? arg : text.toWellFormed();
}
