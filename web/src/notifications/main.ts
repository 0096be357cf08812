// Starts the page of notifications: finds out who one is, then shows that person's inbox. Knows no frame and no connection.

import '../styles/base.css';
import '../styles/controls.css';
import '../styles/site.css';
import '../styles/page.css';
import '../styles/join.css';
import '../styles/bell.css';
import '../styles/notes.css';
import { h } from '../dom.js';
import { userId } from '../names.js';
import { loadProfile, readLink, saveProfile } from '../profile.js';
import { SiteHeader } from '../site-header.js';
import { devCredential, NoDevTokens, pastedCredential, type Credential } from '../token.js';
import { channelOf } from './feed.js';
import { NotificationsPage } from './page.js';
import { tokenCard } from './token-card.js';

/** When the server cannot be asked for a token, it is asked again after this many milliseconds. */
const AGAIN_MS = 3000;

class App {
  private readonly header = new SiteHeader('notifications');
  private readonly content = h('div', { class: 'content' });
  private page: NotificationsPage | undefined;

  constructor(root: HTMLElement) {
    root.replaceChildren(this.header.element, this.content);
  }

  /** The person of the chat in this tab, or a new one with a suggested name. A link may bring a name or a token. */
  async start(): Promise<void> {
    const link = readLink(location.hash);
    const stored = loadProfile();
    const profile = { ...stored, name: link.name ?? stored.name };
    saveProfile(profile);
    if (link.token !== undefined) {
      // A token must not stay in the address bar, where it is copied along and kept in the history.
      history.replaceState(null, '', location.pathname);
      return this.enter(link.token).catch((error: unknown) => this.ask(error));
    }
    try {
      this.show(await devCredential(userId(profile.name, profile.suffix), profile.name), true);
    } catch (error) {
      if (error instanceof NoDevTokens) return this.ask(undefined);
      this.wait(error);
    }
  }

  private async enter(token: string): Promise<void> {
    this.show(await pastedCredential(token, loadProfile().name, channelOf), false);
  }

  private show(credential: Credential, development: boolean): void {
    this.close();
    this.page = new NotificationsPage({ credential, development, leave: (cause) => this.ask(cause) });
    this.header.showBell(this.page.bell.element);
    this.content.replaceChildren(this.page.element);
  }

  private ask(problem: unknown): void {
    this.close();
    const text = problem instanceof Error ? problem.message : undefined;
    this.content.replaceChildren(tokenCard({ problem: text, enter: (token) => this.enter(token) }));
  }

  private wait(problem: unknown): void {
    const text = problem instanceof Error ? problem.message : 'The server gives no token.';
    this.content.replaceChildren(
      h('main', { class: 'page' }, h('div', { class: 'banner', role: 'alert' }, `${text} Trying again…`)),
    );
    window.setTimeout(() => void this.start(), AGAIN_MS);
  }

  private close(): void {
    this.page?.dispose();
    this.page = undefined;
    this.header.showBell(undefined);
  }
}

const root = document.getElementById('app');
if (root !== null) void new App(root).start();
