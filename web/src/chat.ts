// The chat itself: one connection, the sidebar, and the room that is open. Knows the client; draws no message.

import { Trunkline } from 'trunkline-client';
import { h } from './dom.js';
import { MemberList } from './members.js';
import { RoomView } from './room-view.js';
import { RoomList } from './rooms.js';
import { isTrunklineError } from './sentences.js';
import { Sidebar } from './sidebar.js';
import { StatePill } from './state-pill.js';
import { BadToken, NoDevTokens, TokenUnavailable, type Credential } from './token.js';
import { UnreadTitle } from './unread.js';

export interface ChatOptions {
  readonly credential: Credential;
  /** `cause`: why one cannot stay. */
  leave(cause?: Error): void;
  /** Returns the rooms to list. */
  roomOpened(room: string): readonly string[];
}

export class ChatPage {
  readonly element: HTMLElement;
  private readonly trunkline: Trunkline;
  private readonly pill = new StatePill(() => this.trunkline.connect());
  private readonly title = new UnreadTitle();
  private readonly members: MemberList;
  private readonly rooms = new RoomList((room) => this.open(room));
  private readonly sidebar: Sidebar;
  private readonly roomTitle = h('h1', { class: 'room-title', 'data-testid': 'room-title' });
  private readonly roomCount = h('p', { class: 'room-count' });
  private readonly banner = h('div', { class: 'banner', role: 'alert', hidden: true });
  private readonly stage = h('div', { class: 'stage' });
  private current: { readonly name: string; readonly view: RoomView } | undefined;

  constructor(private readonly options: ChatOptions) {
    const { credential } = options;
    this.trunkline = new Trunkline('', { token: () => credential.token() });
    this.members = new MemberList(credential.user);
    this.sidebar = new Sidebar({
      user: credential.user,
      name: credential.name,
      sections: [this.rooms.element, this.members.element],
      leave: () => options.leave(),
    });
    const room = this.createRoomPart();
    this.sidebar.covers(room);
    this.element = h('div', { class: 'chat' }, this.sidebar.element, this.sidebar.backdrop, room);
    this.watchConnection();
  }

  open(room: string): void {
    this.sidebar.close();
    if (this.current?.name === room) return;
    this.current?.view.dispose();
    const { credential } = this.options;
    const view = new RoomView({
      trunkline: this.trunkline,
      room,
      me: credential,
      membersChanged: (members) => {
        this.members.show(members);
        this.roomCount.textContent = members.length === 1 ? 'Only you here' : `${members.length} people here`;
      },
      refused: () => (this.roomCount.textContent = 'You are not in this room'),
      messageFromOthers: () => this.title.note(),
    });
    this.current = { name: room, view };
    this.members.show([]);
    this.roomCount.textContent = 'Joining…';
    this.roomTitle.replaceChildren(h('span', { class: 'prefix', 'aria-hidden': 'true' }, '#'), room);
    this.rooms.show(this.options.roomOpened(room), room);
    this.title.setRoom(room);
    this.stage.replaceChildren(view.element);
    view.start();
  }

  dispose(): void {
    this.current?.view.dispose();
    this.current = undefined;
    this.trunkline.close();
    this.pill.dispose();
    this.sidebar.dispose();
    this.title.dispose();
  }

  private createRoomPart(): HTMLElement {
    const header = h(
      'header',
      { class: 'room-header' },
      this.sidebar.menuButton,
      h('div', { class: 'room-heading' }, this.roomTitle, this.roomCount),
      this.pill.element,
    );
    return h('main', { class: 'room' }, header, this.banner, this.stage);
  }

  private watchConnection(): void {
    this.trunkline.on('error', (error) => {
      // No retry can help, and only a person can give another token.
      if (error instanceof BadToken || error instanceof NoDevTokens) return this.options.leave(error);
      // What passes by itself shows as the state; what is left is a fault of this page.
      if (!(error instanceof TokenUnavailable) && !isTrunklineError(error)) reportError(error);
    });
    this.trunkline.on('state', (change) => {
      this.pill.show({ ...change, instance: () => this.trunkline.instance });
      this.members.setStale(change.state !== 'connected');
      this.banner.hidden = change.state !== 'closed';
      if (change.state === 'closed') this.showEnd(change.reason);
    });
  }

  /** The connection does not come back by itself. */
  private showEnd(reason: string): void {
    const again = h('button', { type: 'button', class: 'link', 'data-testid': 'reconnect' }, 'Connect again');
    again.addEventListener('click', () => this.trunkline.connect());
    this.banner.replaceChildren(h('span', {}, `The server has ended this connection: ${reason}.`), again);
  }
}
