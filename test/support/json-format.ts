// The smallest wire format: the JSON text of each frame and one byte that JSON never has. Knows no socket.

import { decodeFrame } from '../../src/protocol/decode.js';
import { encodeError, encodeOk, encodePush } from '../../src/protocol/encode.js';
import type { CommandResult, Decoded, ErrorBody, FrameId, Push } from '../../src/protocol/frames.js';
import type { WireFormat } from '../../src/core/ports/link.js';

/** Record separator of RFC 7464. Line feeds may stand in payload text. */
const END = '\u001e';

/** A frame as a client sees it. */
export interface WireFrame {
  readonly event: string;
  readonly id?: FrameId;
  readonly data: Readonly<Record<string, unknown>>;
}

export class JsonFormat implements WireFormat {
  /** Calls of `push`, to prove that each publication is encoded once. */
  pushes = 0;

  constructor(readonly name = 'json') {}

  decode(input: string): Decoded {
    return decodeFrame(input);
  }

  push(push: Push): Buffer {
    this.pushes++;
    return Buffer.from(encodePush(push) + END);
  }

  ok(id: FrameId | undefined, result: CommandResult): Buffer {
    return Buffer.from(encodeOk(id, result) + END);
  }

  error(id: FrameId | undefined, error: ErrorBody): Buffer {
    return Buffer.from(encodeError(id, error) + END);
  }
}

export function readFrames(bytes: Buffer): WireFrame[] {
  const texts = bytes.toString('utf8').split(END);
  if (texts.pop() !== '') throw new Error('The bytes end within a frame.');
  return texts.map((text) => JSON.parse(text) as WireFrame);
}
