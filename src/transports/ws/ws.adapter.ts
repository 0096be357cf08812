// The WebSocket adapter for Nest: owns the upgrade of its HTTP server. Refusals are real HTTP answers before the 101, and
// foreign paths are left to others. Knows no frame; the gateway does.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger, type INestApplicationContext, type WsMessageHandler } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { Observable } from 'rxjs';
import { isCutOff } from '../../limits/request-form.js';
import { CustomHandlers } from './custom-events.js';
import { Handshake, chooseSubprotocol } from './handshake.js';
import { refuse } from './http-refusal.js';
import type { WsOptions } from './ws.options.js';
import { TrunklineSocket } from './ws.socket.js';
import { WS_OPTIONS, WS_PATH } from './ws.tokens.js';

type ConnectCallback = (client: WebSocket, request: IncomingMessage) => void;

/** One path: its `ws` server and what Nest wants to hear of its connections. */
interface Endpoint {
  readonly server: WebSocketServer;
  readonly callbacks: ConnectCallback[];
}

/** Milliseconds another owner of upgrades has to take a path that is not ours, before we answer 404. */
const FOREIGN_MS = 3000;

export class TrunklineWsAdapter extends WsAdapter {
  private readonly log = new Logger(TrunklineWsAdapter.name);
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly pending = new Set<Duplex>();
  private readonly held: Duplex[] = [];
  private readonly handshake: Handshake;
  private readonly options: WsOptions;
  private readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.upgrade(request, socket, head);

  constructor(
    app: INestApplicationContext,
    private readonly httpServerOfApp: Server,
  ) {
    super(httpServerOfApp);
    this.handshake = app.get(Handshake);
    this.options = app.get<WsOptions>(WS_OPTIONS);
    httpServerOfApp.on('upgrade', this.onUpgrade);
  }

  /** Called by Nest once for each path; gateways of one path share the server. */
  override create(
    port: number,
    options: ServerOptions & { namespace?: string; server?: unknown } = {},
  ): WebSocketServer {
    if (port !== 0) return super.create(port, options as Record<string, unknown>) as WebSocketServer;
    if (options.namespace !== undefined)
      throw new Error('Namespaces are not part of plain WebSocket; use a path.');
    const path = normalize(options.path ?? '/');
    const { maxMessageBytes, maxFragments, closeTimeoutMs } = this.options;
    const { path: _path, server: _server, port: _port, ...own } = options;
    const server = new WebSocketServer({
      maxPayload: maxMessageBytes,
      maxFragments,
      closeTimeout: closeTimeoutMs,
      handleProtocols: chooseSubprotocol,
      ...own,
      noServer: true,
      clientTracking: path !== WS_PATH,
      perMessageDeflate: false,
      WebSocket: TrunklineSocket,
    } as ServerOptions);
    server.on('error', (error) => this.log.error(error));
    server.on('wsClientError', (_error: Error, socket: Duplex) =>
      refuse(socket, { status: 400, code: 'invalid_data', detail: 'The upgrade request is malformed.' }),
    );
    this.endpoints.set(path, { server, callbacks: [] });
    return server;
  }

  override bindClientConnect(server: WebSocketServer, callback: ConnectCallback): void {
    const endpoint = [...this.endpoints.values()].find((entry) => entry.server === server);
    if (endpoint === undefined) super.bindClientConnect(server, callback);
    else endpoint.callbacks.push(callback);
  }

  override bindMessageHandlers(
    client: WebSocket,
    handlers: WsMessageHandler[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (handlers.length === 0) return;
    if (client instanceof TrunklineSocket && client.onMainPath) {
      (client.handlers ??= new CustomHandlers()).add(handlers, transform);
      return;
    }
    super.bindMessageHandlers(client, handlers as Parameters<WsAdapter['bindMessageHandlers']>[1], transform);
  }

  override async close(server: WebSocketServer): Promise<void> {
    for (const client of server.clients ?? []) client.close(1001, 'going away');
    const timer = setTimeout(() => {
      for (const client of server.clients ?? []) client.terminate();
    }, this.options.closeTimeoutMs);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    clearTimeout(timer);
  }

  override async dispose(): Promise<void> {
    this.httpServerOfApp.off('upgrade', this.onUpgrade);
    for (const socket of this.pending) socket.destroy();
    this.pending.clear();
    this.endpoints.clear();
    await super.dispose();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Between the upgrade event and the 101 the socket is nobody's: without a listener its error would end the process.
    socket.on('error', destroyIt);
    if (isCutOff(socket)) return;
    const endpoint = this.endpoints.get(pathOf(request));
    if (endpoint === undefined) {
      this.leaveToOthers(socket);
      return;
    }
    this.pending.add(socket);
    this.accept(endpoint, request, { socket, head })
      .catch((error: unknown) => {
        this.log.error(error);
        refuse(socket, {
          status: 500,
          code: 'internal',
          detail: 'The server could not open this connection.',
        });
      })
      .finally(() => this.pending.delete(socket));
  }

  private async accept(
    { server, callbacks }: Endpoint,
    request: IncomingMessage,
    { socket, head }: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    const verdict = await this.handshake.judge(request);
    if (!verdict.ok) return refuse(socket, verdict.refusal);
    const { identity, address } = verdict;
    const onMainPath = server === this.endpoints.get(WS_PATH)?.server;
    // Who comes to a gateway of the application is the application's to judge.
    const strange = onMainPath && identity.kind === 'anonymous';
    const full =
      this.handshake.checkRoom(identity) ?? (strange ? this.handshake.checkStranger(address) : undefined);
    if (full !== undefined) return refuse(socket, full);
    if (socket.destroyed) return;
    socket.cork();
    server.handleUpgrade(request, socket, head, (client) => {
      socket.off('error', destroyIt);
      const ours = client as TrunklineSocket;
      ours.raw = socket;
      ours.identity = identity;
      ours.address = address;
      ours.onMainPath = onMainPath;
      if (strange) ours.beStranger(this.handshake.enterStranger(address));
      // `ws` closes with the right code by itself; without a listener its error would end the process.
      client.on('error', ignore);
      this.introduce(ours, request, callbacks);
    });
    this.release(socket);
  }

  /**
   * The 101 and what is said in the same turn go out as one write: a system call less for each connection. Asked for after the session was
   * opened, so that its batch is written before.
   */
  private release(socket: Duplex): void {
    if (this.held.push(socket) > 1) return;
    setImmediate(() => {
      for (const waiting of this.held.splice(0)) waiting.uncork();
    });
  }

  /** A gateway that throws in its connect hook loses its client, not the process. */
  private introduce(
    client: TrunklineSocket,
    request: IncomingMessage,
    callbacks: readonly ConnectCallback[],
  ): void {
    try {
      for (const callback of callbacks) callback(client, request);
    } catch (error) {
      this.log.error(error);
      client.close(1011, 'internal error');
    }
  }

  /** Another library may serve upgrades on this port. If nobody does, the client gets its 404. */
  private leaveToOthers(socket: Duplex): void {
    const notFound = { status: 404, code: 'not_found', detail: 'Nothing is served on this path.' };
    if (this.httpServerOfApp.listenerCount('upgrade') <= 1) return refuse(socket, notFound);
    setTimeout(() => {
      const taken = socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0;
      if (!taken && !socket.destroyed && socket.writable) refuse(socket, notFound);
    }, FOREIGN_MS).unref();
  }
}

function destroyIt(this: Duplex): void {
  this.destroy();
}

function ignore(): void {}

function normalize(path: string): string {
  const slashed = path.startsWith('/') ? path : `/${path}`;
  return slashed.length > 1 && slashed.endsWith('/') ? slashed.slice(0, -1) : slashed;
}

/** The path alone, without decoding: paths match exactly. */
function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}
