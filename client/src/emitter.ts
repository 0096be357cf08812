// Listeners by event name. A listener that throws stops neither the others nor the connection.

export type Off = () => void;

type Listener = (value: never) => void;

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();
  readonly #onThrow: (error: unknown) => void;

  constructor(onThrow: (error: unknown) => void) {
    this.#onThrow = onThrow;
  }

  /** Returns the function that takes the listener away again. */
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): Off {
    let set = this.#listeners.get(event);
    if (set === undefined) this.#listeners.set(event, (set = new Set()));
    // Wrapped, so that one function given twice is called twice and taken away one by one.
    const entry: Listener = (value) => listener(value);
    set.add(entry);
    return () => void set.delete(entry);
  }

  /** False when nobody listens. */
  emit<K extends keyof Events>(event: K, value: Events[K]): boolean {
    const set = this.#listeners.get(event);
    if (set === undefined || set.size === 0) return false;
    for (const listener of [...set]) {
      try {
        listener(value as never);
      } catch (error) {
        this.#onThrow(error);
      }
    }
    return true;
  }
}
