// An identity provider whose key set answers as a test tells it: well, late, wrong, or not at all. A real HTTP server; knows no test.

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IssuerKey } from './token-keys.js';

export type Answer = (response: ServerResponse) => void;

export class FakeIdentityProvider {
  /** Requests for the key set so far. */
  fetches = 0;
  /** Of other paths: nobody should ask for any. */
  readonly strays: string[] = [];
  private keys: readonly IssuerKey[] = [];
  private answer: Answer | undefined;
  private server: Server | undefined;
  private port = 0;
  private readonly waiting = new Set<() => void>();

  static async start(...keys: readonly IssuerKey[]): Promise<FakeIdentityProvider> {
    const provider = new FakeIdentityProvider();
    provider.keys = keys;
    await provider.listen();
    return provider;
  }

  /** A provider with an address at which nobody listens yet. */
  static async away(...keys: readonly IssuerKey[]): Promise<FakeIdentityProvider> {
    const provider = await FakeIdentityProvider.start(...keys);
    await provider.stop();
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/jwks`;
  }

  /** Publishes these keys from now on, and answers well again. */
  publish(...keys: readonly IssuerKey[]): void {
    this.keys = keys;
    this.answer = undefined;
  }

  /** Answers so from now on. */
  misbehave(answer: Answer): void {
    this.answer = answer;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      response.on('error', () => {});
      if (request.url !== '/jwks') this.strays.push(request.url ?? '');
      else this.fetches++;
      if (this.answer === undefined) {
        response.setHeader('content-type', 'application/jwk-set+json');
        response.end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }));
      } else this.answer(response);
      for (const wake of [...this.waiting]) wake();
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Resolves when so many requests have come. */
  async fetched(count: number): Promise<void> {
    while (this.fetches < count) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
    }
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
