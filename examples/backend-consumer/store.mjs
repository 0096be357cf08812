// What the consumer keeps on disk: the messages it has processed, and where it stands in the feed. Knows no connection.

import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** @typedef {import('trunkline-client').Position} Position */
/** @typedef {import('trunkline-client').Message<unknown>} Message */

/**
 * Ids remembered, to know a message again. After a crash only those can come again that came since the position was saved last,
 * and that is a hundred at most.
 */
const REMEMBERED = 1000;
/** Bytes at the end of the ledger that are read at the start, in which those ids stand. */
const TAIL_BYTES = 4_194_304;

export class Store {
  /** @type {Position | undefined} */
  position;
  /** Ids, the oldest first. @type {Set<string>} */
  #processed = new Set();
  /** @type {import('node:fs/promises').FileHandle} */
  #ledger;
  #folder;

  /** @param {string} folder @param {import('node:fs/promises').FileHandle} ledger @param {Position | undefined} position */
  constructor(folder, ledger, position) {
    this.#folder = folder;
    this.#ledger = ledger;
    this.position = position;
  }

  /** @param {string} folder */
  static async open(folder) {
    await mkdir(folder, { recursive: true });
    const ledger = await open(join(folder, 'processed.jsonl'), 'a+');
    const store = new Store(folder, ledger, await readPosition(join(folder, 'position.json')));
    await store.#recall();
    return store;
  }

  /**
   * The work of this service: one line a message. With a database, this is a row with the message's id as its key, written in one
   * transaction with what the message changes. False: it was processed before.
   * @param {Message} message
   */
  async process({ id, event, data }) {
    if (this.#processed.has(id)) return false;
    await this.#ledger.appendFile(`${JSON.stringify({ id, event, data })}\n`);
    this.#remember(id);
    return true;
  }

  /**
   * Call when everything up to there is processed. The file is the old one or the new one, never half of it, and never ahead of the
   * ledger, not even after a power cut.
   * @param {Position} position
   */
  async save(position) {
    await this.#ledger.datasync();
    const file = join(this.#folder, 'position.json');
    const draft = await open(`${file}.new`, 'w');
    try {
      await draft.writeFile(JSON.stringify(position));
      await draft.datasync();
    } finally {
      await draft.close();
    }
    await rename(`${file}.new`, file);
    this.position = position;
  }

  async close() {
    await this.#ledger.close();
  }

  /** Reads the last ids. A line that a crash has cut off was not processed, so it is taken away. */
  async #recall() {
    const { size } = await this.#ledger.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const tail = Buffer.alloc(size - start);
    await this.#ledger.read(tail, 0, tail.length, start);
    const end = tail.lastIndexOf('\n') + 1;
    if (end < tail.length) await this.#ledger.truncate(start + end);
    const lines = tail.toString('utf8', 0, end).split('\n').slice(0, -1);
    for (const line of lines.slice(-REMEMBERED)) this.#remember(idOf(line));
  }

  /** @param {string} id */
  #remember(id) {
    this.#processed.add(id);
    for (const oldest of this.#processed) {
      if (this.#processed.size <= REMEMBERED) return;
      this.#processed.delete(oldest);
    }
  }
}

/** @param {string} line */
function idOf(line) {
  const { id } = /** @type {{ id: string }} */ (JSON.parse(line));
  return id;
}

/** @param {string} file @returns {Promise<Position | undefined>} undefined when there is none yet */
async function readPosition(file) {
  try {
    const handle = await open(file, 'r');
    try {
      return /** @type {Position} */ (JSON.parse(await handle.readFile('utf8')));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}
