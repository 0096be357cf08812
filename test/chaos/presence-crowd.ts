// Users who come and go at random in channels with presence, and the model of who must be there in the end. Knows no fault.

import type { SeededRandom } from '../support/seeded-random.js';
import { TEST_API_KEY } from '../support/server.js';
import { connect, type MemberView, type WsClient } from '../support/ws-client.js';
import type { Instance } from './cluster.js';

/** One socket of a user. Its operations follow each other; those of others do not wait for them. */
class Visitor {
  readonly inside = new Set<string>();
  private client: WsClient | undefined;
  private last: Promise<void> = Promise.resolve();

  constructor(
    readonly user: string,
    private readonly pick: () => Instance,
  ) {}

  /** Channels as they will be once all operations are done. */
  do(operation: 'enter' | 'leave' | 'drop' | 'close', channel: string): void {
    if (operation === 'enter') this.inside.add(channel);
    else if (operation === 'leave') this.inside.delete(channel);
    else this.inside.clear();
    this.last = this.last.then(() => this.carryOut(operation, channel));
  }

  settled(): Promise<void> {
    return this.last;
  }

  cut(): void {
    this.client?.cut();
  }

  private async carryOut(operation: 'enter' | 'leave' | 'drop' | 'close', channel: string): Promise<void> {
    if (operation === 'enter') {
      if (this.client?.isOpen !== true) {
        const instance = this.pick();
        this.client = await connect(instance.wsUrl, {
          token: instance.token(this.user),
          onText: undefinedText,
        });
      }
      // Being there already is as good.
      this.client.send({ event: 'subscribe', data: { channel } });
    } else if (operation === 'leave') this.client?.send({ event: 'unsubscribe', data: { channel } });
    else if (operation === 'drop') this.client?.cut();
    else await this.client?.close();
    if (operation === 'drop') await this.client?.closed;
  }
}

const undefinedText = (): void => {};

export interface CrowdOptions {
  readonly channels: readonly string[];
  readonly users: number;
  readonly random: SeededRandom;
  readonly pick: () => Instance;
}

export class PresenceCrowd {
  private readonly visitors: Visitor[] = [];

  constructor(private readonly options: CrowdOptions) {
    const { users, pick } = options;
    for (let at = 0; at < users * 2; at++) this.visitors.push(new Visitor(`user-${at % users}`, pick));
  }

  async storm(operations: number): Promise<void> {
    const { random, channels } = this.options;
    for (let at = 0; at < operations; at++) {
      const visitor = this.visitors[random.below(this.visitors.length)] as Visitor;
      const channel = channels[random.below(channels.length)] as string;
      const dice = random.below(10);
      if (dice < 5) visitor.do('enter', channel);
      else if (dice < 8) visitor.do('leave', channel);
      else visitor.do(dice === 8 ? 'drop' : 'close', channel);
      if (at % 20 === 0) await visitor.settled();
    }
    await Promise.all(this.visitors.map((visitor) => visitor.settled()));
  }

  /** Who must be in the channel, sorted. */
  expected(channel: string): readonly string[] {
    const users = this.visitors.filter(({ inside }) => inside.has(channel)).map(({ user }) => user);
    return [...new Set(users)].sort();
  }

  close(): void {
    for (const visitor of this.visitors) visitor.cut();
  }
}

/** Who an instance says is there, sorted. */
export async function membersAt({ url }: Instance, channel: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/api/channels/${encodeURIComponent(channel)}/members`, {
    headers: { authorization: `Bearer ${TEST_API_KEY}` },
  });
  const { members } = (await response.json()) as { readonly members: readonly MemberView[] };
  return members.map(({ user }) => user).sort();
}

/** Follows joins and leaves of channels, and notes each that cannot follow what came before it. */
export class PresenceWatcher {
  readonly faults: string[] = [];
  readonly leaves: { readonly user: string; readonly at: number }[] = [];
  private readonly present = new Map<string, Set<string>>();

  private client: WsClient | undefined;

  static async open(instance: Instance, channels: readonly string[]): Promise<PresenceWatcher> {
    const watcher = new PresenceWatcher();
    const client = await connect(instance.wsUrl, {
      token: instance.token('watcher'),
      onText: (text) => watcher.hear(text.toString()),
    });
    watcher.client = client;
    for (const [id, channel] of channels.entries()) {
      watcher.present.set(channel, new Set());
      client.send({ event: 'subscribe', id, data: { channel, presence: true } });
    }
    return watcher;
  }

  /** Without itself, sorted. */
  users(channel: string): readonly string[] {
    return [...(this.present.get(channel) ?? [])].filter((user) => user !== 'watcher').sort();
  }

  close(): void {
    this.client?.cut();
  }

  private hear(text: string): void {
    const { event, data } = JSON.parse(text) as {
      event: string;
      data: { channel: string; member: MemberView; members?: MemberView[] };
    };
    const { channel, member, members } = data;
    if (event === 'ok' && members !== undefined)
      for (const { user } of members) this.present.get(channel)?.add(user);
    if (event !== 'join' && event !== 'leave') return;
    const users = this.present.get(channel) ?? new Set<string>();
    const there = users.has(member.user);
    if (event === 'join' ? there : !there) this.faults.push(`${event} of ${member.user} in ${channel}`);
    if (event === 'join') users.add(member.user);
    else {
      users.delete(member.user);
      this.leaves.push({ user: member.user, at: performance.now() });
    }
  }
}
