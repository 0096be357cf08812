// One real Redis for a file of tests that harm it, or the way to it, and what makes all well again after each. Knows no fault.

import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { ChaosProxy } from './chaos-proxy.js';
import { freshPrefix, stopPeers } from './redis-nodes.js';
import { RedisServer } from './redis-server.js';

/** Milliseconds for the reply to a command, and what a busy machine may add to it. */
export const COMMAND_MS = 500;
export const SLACK_MS = 1200;
/** Milliseconds for the reply where a refusal must not wait for it: `SLACK_MS` tells the two apart. */
export const LONG_COMMAND_MS = 3000;

type ProxyOptions = Omit<Parameters<typeof ChaosProxy.start>[0], 'target'>;

export class HurtRedis {
  server!: RedisServer;
  /** Short times, and a prefix of its own for each test. */
  settings!: RedisSettings;
  private readonly proxies: ChaosProxy[] = [];
  private channels = 0;

  /** Call once, where the file declares its tests. */
  constructor(private readonly family: string) {
    beforeAll(async () => {
      this.server = await RedisServer.start();
    });
    beforeEach(() => {
      const { url } = this.server;
      this.settings = { url, prefix: freshPrefix(), commandTimeoutMs: COMMAND_MS, beatMs: 100 };
    });
    afterEach(async () => {
      this.server.resume();
      await stopPeers();
      await Promise.all(this.proxies.splice(0).map((proxy) => proxy.close()));
    });
    afterAll(() => this.server.stop());
  }

  newChannel(): string {
    return `${this.family}:${++this.channels}`;
  }

  /** A way to Redis that can be harmed. */
  async behindProxy(
    options: ProxyOptions = {},
  ): Promise<{ readonly proxy: ChaosProxy; readonly url: string }> {
    const proxy = await ChaosProxy.start({ target: this.server.port, ...options });
    this.proxies.push(proxy);
    return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
  }
}
