// The chat page: join card, then chat, and back. Decides which of the two is shown; knows no frame and no connection.

import './styles/base.css';
import './styles/controls.css';
import './styles/site.css';
import './styles/join.css';
import './styles/layout.css';
import './styles/sidebar.css';
import './styles/messages.css';
import './styles/lines.css';
import './styles/composer.css';
import './styles/bell.css';
import './styles/notes.css';
import { ChatPage } from './chat.js';
import { h } from './dom.js';
import { JoinCard, type JoinRequest } from './join.js';
import { userId } from './names.js';
import { Ringer } from './notifications/ringer.js';
import { loadProfile, readLink, saveProfile, withRoom, type Profile } from './profile.js';
import { SiteHeader } from './site-header.js';
import { BadToken, NoDevTokens, devCredential, pastedCredential } from './token.js';

class App {
  private profile: Profile = loadProfile();
  private chat: ChatPage | undefined;
  /** A pasted token lives in memory only. */
  private token: string | undefined;
  private readonly header = new SiteHeader('chat');
  private readonly content = h('div', { class: 'content' });
  private ringer: Ringer | undefined;

  constructor(root: HTMLElement) {
    root.replaceChildren(this.header.element, this.content);
  }

  /** A link with a name and a room, or a reload in a room, goes straight in. */
  async start(): Promise<void> {
    const link = readLink(location.hash);
    this.keep({
      ...this.profile,
      name: link.name ?? this.profile.name,
      room: link.room ?? this.profile.room,
    });
    this.token = link.token;
    // A token must not stay in the address bar, where it is copied along and kept in the history.
    if (link.token !== undefined)
      history.replaceState(null, '', `#room=${encodeURIComponent(this.profile.room)}`);
    addEventListener('hashchange', () => this.followLink());
    const direct = this.profile.joined || (link.name !== undefined && link.room !== undefined);
    if (!direct) return this.showJoin(undefined);
    await this.reenter();
  }

  private async reenter(): Promise<void> {
    const { name, room } = this.profile;
    try {
      await this.enter({ name, room, token: this.token });
    } catch (error) {
      if (needsToken(error)) this.token ??= '';
      this.showJoin(error instanceof NoDevTokens ? undefined : textOf(error));
    }
  }

  private showJoin(problem: string | undefined): void {
    this.closeChat();
    const { name, room } = this.profile;
    const card = new JoinCard({
      name,
      room,
      token: this.token,
      problem,
      enter: (request) => this.enter(request),
      needsToken,
    });
    this.content.replaceChildren(card.element);
    card.focus();
  }

  private async enter(request: JoinRequest): Promise<void> {
    const { name, room, token } = request;
    const credential =
      token === undefined || token === ''
        ? await devCredential(userId(name, this.profile.suffix), name)
        : await pastedCredential(token, name, () => `chat:${room}`);
    this.token = token;
    this.keep({ ...withRoom(this.profile, room), name, joined: true });
    this.closeChat();
    this.chat = new ChatPage({
      credential,
      leave: (cause) => this.leave(cause),
      roomOpened: (opened) => this.noteRoom(opened),
    });
    this.content.replaceChildren(this.chat.element);
    this.ringer = new Ringer(credential);
    this.header.showBell(this.ringer.bell.element);
    this.chat.open(room);
  }

  /** Remembers the room and returns the list to show. */
  private noteRoom(room: string): readonly string[] {
    this.keep(withRoom(this.profile, room));
    history.replaceState(null, '', `#room=${encodeURIComponent(room)}`);
    return this.profile.rooms;
  }

  private followLink(): void {
    const { room } = readLink(location.hash);
    if (room !== undefined && room !== this.profile.room) this.chat?.open(room);
  }

  private leave(cause?: Error): void {
    this.keep({ ...this.profile, joined: false });
    if (needsToken(cause)) this.token ??= '';
    this.showJoin(cause?.message);
  }

  private closeChat(): void {
    this.chat?.dispose();
    this.chat = undefined;
    this.ringer?.dispose();
    this.ringer = undefined;
    this.header.showBell(undefined);
  }

  private keep(profile: Profile): void {
    this.profile = profile;
    saveProfile(profile);
  }
}

function needsToken(error: unknown): boolean {
  return error instanceof NoDevTokens || error instanceof BadToken;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : 'That did not work.';
}

const root = document.getElementById('app');
if (root !== null) void new App(root).start();
