// Walks the text of a frame once, before JSON.parse: bounds its depth and finds the raw text of `data` and of `data.data`. Judges no syntax.

export interface FrameSpans {
  /** Raw text of the frame's `data`, or undefined. */
  readonly data: string | undefined;
  /** Raw text of `data.data`, or undefined: the payload of a publish, handed on byte for byte. */
  readonly payload: string | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Returns undefined when the text nests deeper than `maxDepth`. JSON.parse takes any depth, but printing a value of depth 5,000
 * overflows the stack, so depth is bounded here, at about 1 ns a character. For text that is not JSON the spans mean nothing:
 * the caller parses next.
 */
export function scanFrame(text: string, maxDepth: number): FrameSpans | undefined {
  const scan = new FrameScan(text, maxDepth);
  return scan.run() ? { data: scan.data, payload: scan.payload } : undefined;
}

class FrameScan {
  data: string | undefined;
  payload: string | undefined;
  private depth = 0;
  private expectKey = false;
  private inData = false;
  private frameKeyIsData = false;
  private dataKeyIsData = false;
  private frameValueAt = 0;
  private dataValueAt = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  run(): boolean {
    const { text } = this;
    for (let at = 0; at < text.length; at++) {
      switch (text.charCodeAt(at)) {
        case QUOTE: {
          const end = stringEnd(text, at);
          if (end < 0) return true;
          if (this.expectKey) this.key(at, end);
          at = end;
          break;
        }
        case OPEN_OBJECT:
        case OPEN_ARRAY:
          if (++this.depth > this.maxDepth) return false;
          if (this.depth <= 2) this.open(text.charCodeAt(at) === OPEN_OBJECT);
          break;
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          if (this.depth <= 2) this.valueEnd(at, false);
          this.depth--;
          break;
        case COLON:
          if (this.depth <= 2) this.valueStart(at + 1);
          break;
        case COMMA:
          if (this.depth <= 2) this.valueEnd(at, true);
          break;
      }
    }
    return true;
  }

  private open(isObject: boolean): void {
    if (this.depth === 1) {
      this.expectKey = isObject;
      return;
    }
    this.inData = isObject && this.frameKeyIsData;
    if (this.inData) this.payload = undefined;
    this.expectKey = this.inData;
  }

  private key(start: number, end: number): void {
    const isData = keyIs(this.text, start, end, 'data');
    if (this.depth === 1) this.frameKeyIsData = isData;
    else this.dataKeyIsData = isData;
  }

  private valueStart(at: number): void {
    this.expectKey = false;
    if (this.depth === 1) this.frameValueAt = at;
    else if (this.inData) this.dataValueAt = at;
  }

  private valueEnd(at: number, more: boolean): void {
    if (this.depth === 2) {
      if (!this.inData) return;
      if (this.dataKeyIsData) this.payload = this.text.slice(this.dataValueAt, at).trim();
      this.dataKeyIsData = false;
      this.expectKey = more;
      if (!more) this.inData = false;
      return;
    }
    if (this.frameKeyIsData) this.data = this.text.slice(this.frameValueAt, at).trim();
    this.frameKeyIsData = false;
    this.expectKey = more;
  }
}

/** Index of the quote that ends the string opened at `open`, or −1. */
export function stringEnd(text: string, open: number): number {
  let end = text.indexOf('"', open + 1);
  while (end > 0 && text.charCodeAt(end - 1) === BACKSLASH) {
    let back = end - 1;
    while (text.charCodeAt(back) === BACKSLASH) back--;
    if ((end - back) % 2 === 1) return end;
    end = text.indexOf('"', end + 1);
  }
  return end;
}

/** A key may be written with escapes (`d\u0061ta`), and JSON.parse will read it as `data`, so we must too. */
export function keyIs(text: string, open: number, end: number, name: string): boolean {
  const raw = text.slice(open + 1, end);
  if (raw === name) return true;
  if (!raw.includes('\\')) return false;
  try {
    return JSON.parse(`"${raw}"`) === name;
  } catch {
    return false;
  }
}
