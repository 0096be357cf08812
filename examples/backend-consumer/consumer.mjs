// Takes the messages of one channel in order, one after another, and never more at a time than it can hold. Knows no file.

/** @typedef {import('trunkline-client').Channel} Channel */
/** @typedef {import('trunkline-client').Position} Position */
/** @typedef {import('trunkline-client').Message<unknown>} Message */
/** @typedef {{ readonly position: Position, readonly message: Message | undefined, readonly saved: (() => void) | undefined }} Step */

/**
 * @typedef {object} Sink
 * @property {Position | undefined} position where the consumer stood when it ended last
 * @property {(message: Message) => Promise<unknown>} process
 * @property {(position: Position) => Promise<void>} save
 */

/** Messages between two saves of the position, at most. */
const BATCH = 100;
/** Messages that may wait. One more, and the consumer leaves the channel until it has caught up. */
const MOST_WAITING = 5000;

export class Consumer {
  /** @type {Step[]} */
  #waiting = [];
  /** @type {Promise<void> | undefined} */
  #working;
  #paused = false;
  #stopped = false;
  #channel;
  #sink;
  #fail;

  /** @param {Channel} channel @param {Sink} sink @param {(error: unknown) => void} fail */
  constructor(channel, sink, fail) {
    this.#channel = channel;
    this.#sink = sink;
    this.#fail = fail;
    channel.on('message', (message) => this.#take(message));
    // Nobody can bring these back: whoever needs them asks the service that published them.
    channel.on('gap', ({ count, reason }) => {
      console.error(`missed ${count} messages: ${reason}`);
      this.#take();
    });
    channel.on('unsubscribed', fail);
  }

  /** Begins where it ended last, the first time with what comes from now on. Resolves when that place is saved. */
  async start() {
    await this.#enter();
    await new Promise((resolve) => this.#take(undefined, () => resolve(undefined)));
  }

  /** Call when no more messages come: what is being processed is finished and saved, what waits comes again next time. */
  async stop() {
    this.#stopped = true;
    await this.#working;
  }

  async #enter() {
    const since = this.#sink.position;
    await this.#channel.subscribe(since === undefined ? {} : { since });
    if (this.#channel.position === undefined)
      throw new Error(`${this.#channel.name} keeps no history, so nothing can be resumed.`);
  }

  /** The channel's position is the one just after this message. @param {Message} [message] @param {() => void} [saved] */
  #take(message, saved) {
    const { position } = this.#channel;
    if (position === undefined || this.#paused) return;
    this.#waiting.push({ position, message, saved });
    if (this.#waiting.length > MOST_WAITING) this.#pause();
    this.#working ??= this.#work();
  }

  async #work() {
    try {
      while (this.#waiting.length > 0 && !this.#stopped) {
        await this.#workOn(this.#waiting.splice(0, BATCH));
        if (this.#paused && this.#waiting.length === 0) await this.#goOn();
      }
    } catch (error) {
      if (!this.#stopped) this.#fail(error);
    } finally {
      this.#working = undefined;
    }
  }

  /** @param {readonly Step[]} steps */
  async #workOn(steps) {
    for (const { message } of steps) if (message !== undefined) await this.#sink.process(message);
    const last = steps.at(-1);
    if (last !== undefined) await this.#sink.save(last.position);
    for (const { saved } of steps) saved?.();
  }

  /** The feed is faster than the work: its history keeps what is left out here. */
  #pause() {
    this.#paused = true;
    this.#channel.unsubscribe().catch(this.#fail);
  }

  async #goOn() {
    this.#paused = false;
    if (this.#stopped) return;
    await this.#enter();
    this.#take();
  }
}
