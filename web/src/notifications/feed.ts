// Brings what the server has for one user into the inbox: first what it kept, then what comes. Knows the client; draws nothing.

import { Trunkline, type Channel, type StateChange } from 'trunkline-client';
import { isTrunklineError } from '../sentences.js';
import { BadToken, NoDevTokens, TokenUnavailable, type Credential } from '../token.js';
import { only } from '../transports.js';
import type { Inbox } from './inbox.js';
import { noteOf } from './note.js';

interface NotificationEvents {
  readonly notification: { readonly title: string; readonly body?: string; readonly url?: string };
}

/** Shown on opening; the channel keeps 100. */
const HISTORY = 100;

export interface FeedListener {
  state(change: StateChange): void;
  /** For good: the server does not know the channel, or does not let this person in. */
  refused(error: Error): void;
  /** Filled, or known to be empty. */
  settled(): void;
}

export class NotificationFeed {
  private readonly trunkline: Trunkline;
  private readonly channel: Channel<NotificationEvents>;
  private ended = false;
  private filled = false;
  private filling = false;

  constructor(
    credential: Pick<Credential, 'user' | 'token'>,
    private readonly inbox: Inbox,
    private readonly listener: FeedListener,
  ) {
    this.trunkline = new Trunkline('', { ...only('sse'), token: () => credential.token() });
    this.channel = this.trunkline.channel<NotificationEvents>(channelOf(credential.user));
    this.trunkline.on('state', (change) => listener.state(change));
    this.trunkline.on('error', (error) => this.report(error));
    this.listen();
  }

  connect(): void {
    this.trunkline.connect();
  }

  close(): void {
    this.ended = true;
    this.trunkline.close();
  }

  private listen(): void {
    const { channel, inbox } = this;
    channel.on('message', (message) => {
      const note = noteOf(message, location.origin);
      inbox.arrive(note === undefined ? [] : [note], channel.position);
    });
    // At the first connection, and again when not all that was missed came by itself.
    channel.on('subscribed', ({ recovered }) => {
      if (!this.filled || !recovered) void this.fill();
    });
    channel.on('gap', () => void this.fill());
    channel.on('unsubscribed', (error) => this.listener.refused(error));
    const since = inbox.position;
    // A refusal comes as the event `unsubscribed`, the end of the connection as a state.
    channel.subscribe(since === undefined ? {} : { since }).catch(() => undefined);
  }

  private async fill(): Promise<void> {
    if (this.filling) return;
    this.filling = true;
    // Without an answer the live messages still come, and the next connection asks again.
    const page = await this.channel.history({ limit: HISTORY, reverse: true }).catch(() => undefined);
    this.filling = false;
    if (this.ended || page === undefined) return;
    this.filled = true;
    const notes = page.messages.map((message) => noteOf(message, location.origin));
    this.inbox.fill(notes.filter((note) => note !== undefined));
    this.inbox.keepPosition(this.channel.position);
    this.listener.settled();
  }

  private report(error: unknown): void {
    if (error instanceof BadToken || error instanceof NoDevTokens) return this.listener.refused(error);
    // What passes by itself shows as the state; what is left is a fault of this page.
    if (!(error instanceof TokenUnavailable) && !isTrunklineError(error)) reportError(error);
  }
}

const NOT_IN_A_SEGMENT = /[%:{}*\p{Z}]/gu;

/** A user id may hold what a segment of a channel name may not; the server escapes it in the same way. */
export function channelOf(user: string): string {
  const segment = user.replaceAll(NOT_IN_A_SEGMENT, (one) => (one === '*' ? '%2A' : encodeURIComponent(one)));
  return `notifications:${segment}`;
}
