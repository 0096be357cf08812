// The pill that says how the connection is, with the seconds until the next try. Knows the client's state names, not the client.

import { h } from './dom.js';
import { transportTitle } from './transports.js';

export interface ConnectionView {
  readonly state: 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';
  /** Missing without a network: then the next try comes when there is one. */
  readonly retryInMs?: number | undefined;
  /** The name of what carries the connection, once there is one. */
  readonly transport?: string | undefined;
  /** Asked for the name of the server process, where the transport tells it. A stream that opens anew is no change of state. */
  readonly instance?: () => string | undefined;
}

/** Milliseconds after which the page at the latest shows the instance that a stream has moved to. */
const LOOK_EVERY_MS = 1000;

export class StatePill {
  readonly element: HTMLElement;
  private readonly main = h('span', { class: 'pill-main' });
  private readonly detail = h('span', { class: 'pill-detail' });
  private readonly instance = h('span', { class: 'pill-detail pill-instance', 'data-testid': 'instance' });
  private readonly spoken = h('span', { class: 'visually-hidden', role: 'status' });
  private readonly now = h('button', { type: 'button', class: 'link pill-now', hidden: true }, 'Try now');
  private timer: number | undefined;

  constructor(tryNow: () => void) {
    this.now.addEventListener('click', tryNow);
    // The visible text counts seconds; only the change of state is read out.
    const seen = h(
      'span',
      { class: 'pill-text', 'aria-hidden': 'true' },
      this.main,
      this.detail,
      this.instance,
    );
    this.element = h(
      'div',
      { class: 'pill', 'data-testid': 'state' },
      h('span', { class: 'pill-dot', 'aria-hidden': 'true' }),
      seen,
      this.spoken,
      this.now,
    );
    this.show({ state: 'idle' });
  }

  show(view: ConnectionView): void {
    window.clearInterval(this.timer);
    this.element.dataset['state'] = view.state;
    this.detail.textContent = '';
    this.instance.textContent = '';
    this.now.hidden = view.state !== 'waiting';
    if (view.state === 'waiting') return this.wait(view.retryInMs);
    if (view.state === 'connected') this.tellWhere(view);
    this.main.textContent = {
      idle: 'Connecting…',
      connecting: 'Connecting…',
      connected: 'Connected',
      closed: 'Offline',
    }[view.state];
    this.spoken.textContent = this.main.textContent;
  }

  dispose(): void {
    window.clearInterval(this.timer);
  }

  private tellWhere({ transport, instance }: ConnectionView): void {
    this.detail.textContent = transportTitle(transport) ?? '';
    if (instance === undefined) return;
    const tell = (): void => {
      const name = instance() ?? '';
      if (name === this.instance.textContent) return;
      this.instance.textContent = name;
      this.instance.title = name === '' ? '' : `The server's instance: ${name}`;
    };
    this.timer = window.setInterval(tell, LOOK_EVERY_MS);
    tell();
  }

  private wait(retryInMs: number | undefined): void {
    this.spoken.textContent = 'Connection lost. Reconnecting.';
    if (retryInMs === undefined) this.main.textContent = 'No network';
    else this.countDown(retryInMs);
  }

  private countDown(retryInMs: number): void {
    const due = performance.now() + retryInMs;
    const tick = (): void => {
      const seconds = Math.ceil((due - performance.now()) / 1000);
      this.main.textContent = seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…';
      if (seconds <= 0) window.clearInterval(this.timer);
    };
    this.timer = window.setInterval(tick, 250);
    tick();
  }
}
