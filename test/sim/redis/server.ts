// A Redis in memory on a virtual clock: connections, one command after another, pub/sub, scripts by their digest, and faults. Knows the
// commands and scripts only by name.

import { COMMANDS } from './commands.js';
import { ClientGroup } from './connector.js';
import { isReplyError, replyError } from './errors.js';
import { Keyspace } from './keyspace.js';
import type { Connector, FakeRedis, FakeRedisParts, Network } from './port.js';
import { scriptOf, shaOf } from './scripts/registry.js';
import type { Reply } from './scripts/script.js';
import type { Request, ServerEnd, Socket } from './socket.js';
import { UndoLog } from './undo.js';

const DEFAULT_UNDO = 64;

export class FakeRedisServer implements FakeRedis, ServerEnd {
  up = true;
  replicas = 0;
  readonly counts = { commands: 0, scripts: 0, writes: 0, pushes: 0, lost: 0, connections: 0 };
  private readonly undo: UndoLog;
  private readonly space: Keyspace;
  private readonly sockets = new Set<Socket>();
  private readonly subscribers = new Map<string, Set<Socket>>();
  private readonly scripts = new Set<string>();
  /** What came while nothing was carried out, in the order in which it came. */
  private waiting: (readonly [socket: Socket, work: () => void])[] = [];
  private stalledUntil = 0;
  private cutsLeft = 0;
  private readonly scanPage: number;
  private readonly tell = (verb: string, channel: string, payload: string): void => {
    if (verb !== 'PUBLISH') throw new Error(`The fake Redis is no Cluster: it has no ${verb}.`);
    this.publish(channel, payload);
  };

  constructor(private readonly parts: FakeRedisParts) {
    this.undo = new UndoLog(parts.undo ?? DEFAULT_UNDO);
    this.space = new Keyspace(this.undo);
    this.scanPage = parts.scanPage ?? Infinity;
  }

  get stalled(): boolean {
    return this.stalledUntil > 0;
  }

  connector(node: string, network: Network): Connector {
    return new ClientGroup({ node, network, server: this, clock: this.parts.clock });
  }

  ask(command: string, ...args: readonly (string | number)[]): unknown {
    return this.carryOut({ name: command.toLowerCase(), args: args.map(String) });
  }

  // What comes over connections.

  accept(socket: Socket): boolean {
    if (!this.up) return false;
    this.counts.connections++;
    this.sockets.add(socket);
    return true;
  }

  request(socket: Socket, request: Request): void {
    if (this.stalled) this.waiting.push([socket, () => this.answer(socket, request)]);
    else this.answer(socket, request);
  }

  finished(socket: Socket): void {
    if (this.stalled) this.waiting.push([socket, () => this.cut(socket)]);
    else this.cut(socket);
  }

  broken(socket: Socket): void {
    this.forget(socket);
  }

  // Faults.

  killPubSub(which: 'all' | 'one'): number {
    const all = this.listening();
    const some = which === 'all' ? all : this.draw(all);
    for (const socket of some) this.cut(socket);
    return some.length;
  }

  killAll(): number {
    const all = [...this.sockets];
    for (const socket of all) this.cut(socket);
    return all.length;
  }

  stall(ms: number): void {
    const { clock } = this.parts;
    const until = clock.now() + ms;
    if (until <= this.stalledUntil) return;
    this.stalledUntil = until;
    clock.after(ms, () => {
      if (this.stalledUntil === until) this.goOn();
    });
  }

  loseWrites(count: number): number {
    this.killAll();
    this.goOn();
    this.scripts.clear();
    return this.rewind(count);
  }

  /** As `loseWrites`, and nobody notices: for tests that look at what follows alone. */
  rewind(count: number): number {
    return this.undo.back(count);
  }

  restart({ downMs, keepData }: { readonly downMs: number; readonly keepData: boolean }): void {
    if (!this.up) return;
    this.up = false;
    this.killAll();
    this.goOn();
    this.scripts.clear();
    if (!keepData) {
      this.space.clear();
      this.undo.clear();
    }
    this.parts.clock.after(downMs, () => (this.up = true));
  }

  flush(): void {
    this.ask('flushall');
  }

  evict(part = ''): string | undefined {
    this.space.begin(this.parts.clock.now());
    const [key] = this.draw(this.space.keys().filter((name) => name.includes(part)));
    if (key !== undefined) this.ask('del', key);
    return key;
  }

  overflow(messages: number, ms: number): boolean {
    const [socket] = this.draw(this.listening().filter(({ overflowing }) => overflowing === undefined));
    if (socket === undefined) return false;
    socket.overflowing = messages;
    this.parts.clock.after(ms, () => this.cut(socket));
    return true;
  }

  cutBeforeReply(count: number): void {
    this.cutsLeft = count;
  }

  forgetScripts(): void {
    this.scripts.clear();
  }

  // What is carried out.

  private answer(socket: Socket, request: Request): void {
    let reply: Reply | Error;
    try {
      reply = this.carryOut(request, socket);
    } catch (error) {
      if (!isReplyError(error)) throw error;
      reply = error;
    }
    if (this.cutsLeft > 0 && request.name.startsWith('eval') && !isUnknownScript(reply)) {
      this.cutsLeft--;
      this.cut(socket);
    } else socket.reply(reply);
  }

  private carryOut(request: Request, socket?: Socket): Reply {
    const { counts, undo } = this;
    counts.commands++;
    this.space.begin(this.parts.clock.now());
    try {
      return this.run(request, socket);
    } finally {
      undo.close();
      counts.writes = undo.writes;
    }
  }

  private run({ name, args }: Request, socket: Socket | undefined): Reply {
    if (name === 'evalsha') return this.script(args[0] as string, args);
    if (name === 'eval') {
      const sha = shaOf(args[0] as string);
      this.scripts.add(sha);
      return this.script(sha, args);
    }
    const command = COMMANDS.get(name);
    if (command !== undefined) {
      const { space, scanPage } = this;
      return command({ space, args, scanPage, random: this.parts.random });
    }
    if (name === 'publish') return this.publish(args[0] as string, args[1] as string);
    if (name === 'wait') return this.confirm();
    if (socket === undefined) throw new Error(`The fake Redis has no ${name} without a connection.`);
    return this.listen(name, socket, args);
  }

  private script(sha: string, args: readonly string[]): Reply {
    if (!this.scripts.has(sha)) throw replyError('NOSCRIPT No matching script. Please use EVAL.');
    const script = scriptOf(sha);
    if (script === undefined) throw new Error('The fake Redis has nothing for this script.');
    this.counts.scripts++;
    const end = 2 + Number(args[1]);
    const { space, tell, scanPage } = this;
    return script.run({ space, keys: args.slice(2, end), args: args.slice(end), tell, scanPage });
  }

  private publish(channel: string, payload: string): number {
    const sockets = this.subscribers.get(channel);
    if (sockets === undefined) return 0;
    const { size } = sockets;
    for (const socket of sockets) this.push(socket, channel, payload);
    return size;
  }

  private push(socket: Socket, channel: string, payload: string): void {
    this.counts.pushes++;
    if (socket.overflowing === undefined) {
      socket.push(channel, payload);
      return;
    }
    this.counts.lost++;
    if (--socket.overflowing <= 0) this.cut(socket);
  }

  private confirm(): number {
    if (this.replicas > 0) this.undo.clear();
    return this.replicas;
  }

  /** Returns to how many channels it listens then. */
  private listen(name: string, socket: Socket, channels: readonly string[]): number {
    if (name === 'subscribe')
      for (const channel of channels) {
        socket.channels.add(channel);
        const known = this.subscribers.get(channel);
        if (known === undefined) this.subscribers.set(channel, new Set([socket]));
        else known.add(socket);
      }
    else if (name === 'unsubscribe') for (const channel of channels) this.leave(socket, channel);
    else throw new Error(`The fake Redis has no ${name}.`);
    return socket.channels.size;
  }

  private leave(socket: Socket, channel: string): void {
    const sockets = this.subscribers.get(channel);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.subscribers.delete(channel);
    socket.channels.delete(channel);
  }

  private cut(socket: Socket): void {
    socket.close();
    this.forget(socket);
  }

  private forget(socket: Socket): void {
    if (!this.sockets.delete(socket)) return;
    for (const channel of socket.channels) this.leave(socket, channel);
  }

  /** A stall is over. */
  goOn(): void {
    this.stalledUntil = 0;
    const { waiting } = this;
    this.waiting = [];
    for (const [socket, work] of waiting) if (socket.open) work();
  }

  private listening(): Socket[] {
    return [...this.sockets].filter(({ channels }) => channels.size > 0);
  }

  /** None or one. */
  private draw<T>(all: readonly T[]): T[] {
    const one = Math.floor(this.parts.random.fraction() * all.length);
    return all.slice(one, one + 1);
  }
}

function isUnknownScript(reply: Reply | Error): boolean {
  return reply instanceof Error && reply.message.startsWith('NOSCRIPT');
}
