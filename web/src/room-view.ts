// One room on the page: what its channel brings goes to the list, what is written goes to the channel. Knows no frame and no socket.

import type { Channel, Gap, Message, Trunkline, TrunklineError } from 'trunkline-client';
import type { ChatEvents } from './chat-events.js';
import { Composer } from './composer.js';
import { h } from './dom.js';
import { memberName, type MemberView } from './members.js';
import { MessageList } from './messages.js';
import { Outgoing } from './outgoing.js';
import { People } from './people.js';
import { gapSentence, problemSentence } from './sentences.js';
import type { LineEntry, MessageEntry } from './timeline.js';
import { TypingLine } from './typing.js';

export interface RoomViewOptions {
  readonly trunkline: Trunkline;
  readonly room: string;
  readonly me: { readonly user: string; readonly name: string };
  membersChanged(members: readonly MemberView[]): void;
  /** The server does not let this person in, or has put this person out. */
  refused(): void;
  messageFromOthers(): void;
}

/** Messages shown on arrival. */
const HISTORY = 50;

export class RoomView {
  readonly element: HTMLElement;
  private readonly channel: Channel<ChatEvents>;
  private readonly messages: MessageList;
  private readonly typing = new TypingLine();
  private readonly composer: Composer;
  private readonly outgoing: Outgoing;
  private readonly people: People;
  /** Lines that came before the history: they belong after it. */
  private held: LineEntry[] | undefined = [];
  private readonly offs: (() => void)[] = [];
  private disposed = false;

  constructor(private readonly options: RoomViewOptions) {
    this.channel = options.trunkline.channel<ChatEvents>(`chat:${options.room}`, { presence: true });
    this.messages = new MessageList(`Messages in ${options.room}`, emptyNote(options.room), {
      retry: (entry) => this.outgoing.retry(entry),
      discard: (entry) => this.outgoing.discard(entry),
    });
    this.composer = new Composer({
      send: (text) => this.outgoing.send(text),
      typing: () => this.tellTyping(),
    });
    this.people = new People(this.channel, (members) => options.membersChanged(members));
    const { channel, composer, messages } = this;
    this.outgoing = new Outgoing({ channel, composer, messages, me: options.me });
    this.element = h(
      'div',
      { class: 'room-view' },
      this.messages.element,
      this.typing.element,
      this.composer.element,
    );
  }

  start(): void {
    this.listen();
    this.composer.focus();
    // A refusal comes as the event `unsubscribed`, the end of the connection as a state.
    this.channel.subscribe().catch(() => undefined);
  }

  dispose(): void {
    this.disposed = true;
    for (const off of this.offs) off();
    this.people.stop();
    this.typing.clear();
    this.composer.dispose();
    this.messages.dispose();
    void this.channel.unsubscribe().catch(() => undefined);
  }

  private listen(): void {
    const { channel } = this;
    this.offs.push(
      channel.on('subscribed', () => void this.arrive()),
      channel.on('message', (message) => this.receive(message)),
      channel.onEvent('typing', (_data, message) => this.receiveTyping(message)),
      channel.on('join', ({ member }) => this.tellPresence(member, 'joined')),
      channel.on('leave', ({ member }) => this.tellPresence(member, 'left')),
      channel.on('gap', (gap) => void this.bridge(gap)),
      channel.on('unsubscribed', (error) => this.refused(error)),
    );
  }

  /** At the first subscription, and again when the connection ended before the history was there. */
  private async arrive(): Promise<void> {
    if (this.held === undefined) return;
    try {
      await this.loadHistory();
      this.messages.settleEmpty();
    } catch (error) {
      if (this.options.trunkline.state === 'closed') return;
      this.tellProblem(error);
    }
    this.release();
  }

  private release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const line of held) this.messages.add(line);
  }

  private async loadHistory(): Promise<void> {
    const page = await this.channel.history({ limit: HISTORY, reverse: true });
    if (this.disposed) return;
    const entries = page.messages.flatMap((message) => this.entryOf(message) ?? []);
    this.messages.addHistory(entries.sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0)));
  }

  /** After a break the offsets may start again; what the record still has is fetched. */
  private async bridge(gap: Gap): Promise<void> {
    this.addLine('gap', gapSentence(gap));
    this.messages.timeline.era++;
    await this.loadHistory().catch(() => undefined);
  }

  private receive(message: Message): void {
    if (message.event !== 'message' || this.messages.timeline.has(message.id)) return;
    const text = textOf(message);
    if (message.from !== undefined) this.typing.stop(message.from.user);
    const mine = message.from?.user === this.options.me.user;
    if (mine && text !== undefined && this.outgoing.takeCopy(message, text)) return;
    const entry = this.entryOf(message);
    if (entry === undefined) return;
    this.messages.add(entry);
    if (!mine) this.options.messageFromOthers();
  }

  /** Undefined for what is already shown and for what is no message of the chat. */
  private entryOf(message: Message): MessageEntry | undefined {
    const text = textOf(message);
    if (text === undefined || message.event !== 'message' || this.messages.timeline.has(message.id))
      return undefined;
    const user = message.from?.user ?? '';
    return {
      kind: 'message',
      id: message.id,
      offset: message.offset,
      era: this.messages.timeline.era,
      status: 'sent',
      time: message.time,
      user,
      name: nameOf(message),
      text,
      own: user === this.options.me.user,
    };
  }

  private receiveTyping(message: Message): void {
    if (message.from === undefined || message.from.user === this.options.me.user) return;
    this.typing.note(message.from.user, message.from.name ?? message.from.user);
  }

  private tellPresence(member: MemberView, verb: 'joined' | 'left'): void {
    if (verb === 'left') this.typing.stop(member.user);
    if (member.user === this.options.me.user) return;
    this.addLine('system', `${memberName(member)} ${verb}`);
  }

  private refused(error: TrunklineError): void {
    this.release();
    this.tellProblem(error);
    this.composer.disable('You cannot write here');
    this.options.refused();
  }

  /** The end of the whole connection is told elsewhere. */
  private tellProblem(error: unknown): void {
    const text = problemSentence(error);
    if (this.disposed || this.options.trunkline.state === 'closed') return;
    this.addLine('gap', text);
  }

  private addLine(kind: LineEntry['kind'], text: string): void {
    const line: LineEntry = { kind, text, time: Date.now() };
    if (this.held === undefined) this.messages.add(line);
    else this.held.push(line);
  }

  private tellTyping(): void {
    // Worth nothing later: not kept for the next connection, and a failure is not told.
    if (this.options.trunkline.state !== 'connected') return;
    this.channel.publish('typing', {}, { echo: false }).catch(() => undefined);
  }
}

/** The text, when the data has one: a channel may carry what others put in by other ways. */
function textOf(message: Message): string | undefined {
  const { data } = message;
  if (typeof data !== 'object' || data === null || !('text' in data)) return undefined;
  return typeof data.text === 'string' ? data.text : undefined;
}

/** The publisher's token may carry no name; the room adds one where it knows it. */
function nameOf(message: Message): string {
  const { data, from } = message;
  const added = typeof data === 'object' && data !== null && 'name' in data ? data.name : undefined;
  return from?.name ?? (typeof added === 'string' && added !== '' ? added : (from?.user ?? 'Server'));
}

function emptyNote(room: string): HTMLElement {
  const link = h(
    'a',
    { href: `./#room=${encodeURIComponent(room)}`, target: '_blank', rel: 'noopener' },
    'a second window',
  );
  return h(
    'div',
    { class: 'empty' },
    h('p', { class: 'empty-title' }, 'Quiet in here'),
    h('p', {}, 'Say something, or open ', link, ' and be somebody else too.'),
  );
}
