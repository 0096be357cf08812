// One connection between a client and the fake Redis, as TCP is: both ends, what each was told, and nothing of the other. Knows no command.

import type { Caller, Ends, Network, Wires } from './port.js';
import type { Reply } from './scripts/script.js';

export interface Request {
  /** In small letters. */
  readonly name: string;
  readonly args: readonly string[];
}

/** What comes to the client. */
export interface ClientEnd {
  connected(): void;
  refused(): void;
  reply(reply: Reply | Error): void;
  push(channel: string, payload: string): void;
  /** `reset`: it broke; otherwise the server ended it. */
  ended(reset: boolean): void;
}

/** What comes to the server. */
export interface ServerEnd {
  /** False when nobody listens. */
  accept(socket: Socket): boolean;
  request(socket: Socket, request: Request): void;
  /** The client will send no more. */
  finished(socket: Socket): void;
  /** It broke. */
  broken(socket: Socket): void;
}

export class Socket implements Ends {
  /** What it subscribed to. */
  readonly channels = new Set<string>();
  /** Pushes left before a full buffer ends it; undefined: it is not full. */
  overflowing: number | undefined;
  private clientOpen = true;
  private serverOpen = false;
  /** The server has seen that somebody wants to connect. */
  private knocked = false;
  private readonly wires: Wires;

  constructor(
    readonly caller: Caller,
    network: Network,
    private readonly client: ClientEnd,
    private readonly server: ServerEnd,
  ) {
    this.wires = network.open(caller, this);
    this.wires.toServer.send(() => this.knock());
  }

  get open(): boolean {
    return this.serverOpen;
  }

  request(request: Request): void {
    this.wires.toServer.send(() => {
      if (this.serverOpen) this.server.request(this, request);
      else this.toClient(() => this.endClient(true));
    });
  }

  /** The client sends no more. */
  finish(): void {
    this.wires.toServer.send(() => {
      if (this.serverOpen) this.server.finished(this);
    });
  }

  /** The client hears no more; the server is told. */
  destroy(): void {
    if (!this.clientOpen) return;
    this.finish();
    this.endOf('client');
  }

  /** The client is gone, and nobody is told. */
  vanish(): void {
    if (this.clientOpen) this.endOf('client');
  }

  reply(reply: Reply | Error): void {
    this.toClient(() => this.client.reply(reply));
  }

  push(channel: string, payload: string): void {
    this.toClient(() => this.client.push(channel, payload));
  }

  /** The server ends it; what it sent before still comes. */
  close(): void {
    if (!this.serverOpen) return;
    this.toClient(() => this.endClient(false));
    this.endOf('server');
  }

  breakClient(): void {
    this.endClient(true);
  }

  breakServer(): void {
    if (!this.serverOpen) return;
    this.endOf('server');
    this.server.broken(this);
  }

  private knock(): void {
    this.knocked = true;
    if (this.server.accept(this)) {
      this.serverOpen = true;
      this.toClient(() => this.client.connected());
      return;
    }
    this.endOf('server');
    this.toClient(() => {
      this.endOf('client');
      this.client.refused();
    });
  }

  private toClient(deliver: () => void): void {
    this.wires.toClient.send(() => {
      if (this.clientOpen) deliver();
    });
  }

  private endClient(reset: boolean): void {
    if (!this.clientOpen) return;
    this.endOf('client');
    this.client.ended(reset);
  }

  private endOf(side: 'client' | 'server'): void {
    if (side === 'client') this.clientOpen = false;
    else this.serverOpen = false;
    if (this.knocked && !this.clientOpen && !this.serverOpen) this.wires.over?.();
  }
}
