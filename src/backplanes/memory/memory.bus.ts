// The bus of a cluster in one process: hands what the store tells to every node that listens, in one order. Keeps nothing.

import type {
  BackplaneListener,
  ControlMessage,
  Delivery,
  PresenceEvent,
  Question,
  Revocation,
} from '../../core/ports/backplane.js';
import type { CoreLogger } from '../../core/ports/application.js';
import type { Clock } from '../../core/ports/time.js';

export type BusMessage =
  | {
      readonly kind: 'publication';
      readonly channel: string;
      readonly epoch: string;
      readonly delivery: Delivery;
    }
  | { readonly kind: 'presence'; readonly channel: string; readonly event: PresenceEvent }
  | { readonly kind: 'control'; readonly message: ControlMessage };

/** What becomes of one message on its way to one node. */
export type BusFate = 'deliver' | 'drop' | 'duplicate' | { readonly delayMs: number };
export type BusFilter = (message: BusMessage) => BusFate;

/** The place of one node on the bus. */
export class BusPort {
  /** For tests and the simulator: the faults of the way to this node. */
  filter: BusFilter | undefined;
  readonly channels = new Set<string>();

  constructor(readonly listener: BackplaneListener) {}
}

export class MemoryBus {
  private readonly ports = new Set<BusPort>();
  private readonly listening = new Map<string, Set<BusPort>>();
  private readonly queue: BusMessage[] = [];
  private sending = false;

  constructor(
    private readonly clock: Clock,
    private readonly logger: CoreLogger,
  ) {}

  /** Channels somebody listens to. */
  get channels(): number {
    return this.listening.size;
  }

  attach(listener: BackplaneListener): BusPort {
    const port = new BusPort(listener);
    this.ports.add(port);
    return port;
  }

  /** Nothing reaches the port afterwards, not even what a filter has delayed. */
  detach(port: BusPort): void {
    this.ports.delete(port);
    for (const channel of [...port.channels]) this.unsubscribe(port, channel);
  }

  subscribe(port: BusPort, channel: string): void {
    port.channels.add(channel);
    let ports = this.listening.get(channel);
    if (ports === undefined) this.listening.set(channel, (ports = new Set()));
    ports.add(port);
  }

  unsubscribe(port: BusPort, channel: string): void {
    port.channels.delete(channel);
    const ports = this.listening.get(channel);
    ports?.delete(port);
    if (ports?.size === 0) this.listening.delete(channel);
  }

  /** For tests and the simulator: tells a node that its link to the bus was away, as a reconnect does. */
  suspect(port: BusPort, channels: readonly string[] | 'all' = 'all'): void {
    try {
      port.listener.onSuspect(channels);
    } catch (error) {
      this.threw(error);
    }
  }

  /** To every node, whatever a filter does: no fault may lose a revocation for good, and in one process there is nothing to repair it with. */
  revoke(revocation: Revocation): void {
    for (const { listener } of this.ports) {
      try {
        listener.onRevocations([revocation]);
      } catch (error) {
        this.threw(error);
      }
    }
  }

  /** What each node says, as it would come over a wire. */
  ask(question: Question): unknown[] {
    return [...this.ports].flatMap(({ listener }) => {
      const answer = listener.answer?.(question);
      return answer === undefined ? [] : [JSON.parse(JSON.stringify(answer)) as unknown];
    });
  }

  /** Returns when all listeners have heard it. What a listener sends meanwhile comes after it for everyone. */
  send(message: BusMessage): void {
    if (this.sending) {
      this.queue.push(message);
      return;
    }
    this.sending = true;
    this.deliver(message);
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) this.deliver(next);
    this.sending = false;
  }

  private deliver(message: BusMessage): void {
    const ports = message.kind === 'control' ? this.ports : this.listening.get(message.channel);
    if (ports === undefined) return;
    for (const port of ports) {
      if (port.filter === undefined) this.hand(port, message);
      else this.handWithFaults(port, message, port.filter(message));
    }
  }

  private handWithFaults(port: BusPort, message: BusMessage, fate: BusFate): void {
    if (fate === 'drop') return;
    if (typeof fate === 'object') {
      this.clock.after(fate.delayMs, () => {
        const listens =
          message.kind === 'control' ? this.ports.has(port) : port.channels.has(message.channel);
        if (listens) this.hand(port, message);
      });
      return;
    }
    this.hand(port, message);
    if (fate === 'duplicate') this.hand(port, message);
  }

  private hand({ listener }: BusPort, message: BusMessage): void {
    try {
      if (message.kind === 'publication')
        listener.onPublication(message.channel, message.epoch, message.delivery);
      else if (message.kind === 'presence') listener.onPresence(message.channel, message.event);
      else listener.onControl(message.message);
    } catch (error) {
      this.threw(error);
    }
  }

  /** Listeners promise not to throw. One that does must not cost the others their message. */
  private threw(error: unknown): void {
    this.logger.error('A listener of the memory bus threw.', { error: String(error) });
  }
}
