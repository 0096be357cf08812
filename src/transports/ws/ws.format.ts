// The wire format of `trunkline.v1` over WebSocket: JSON text in one unmasked text frame (RFC 6455 §5.2), framed once for all readers.

import type { WireFormat } from '../../core/ports/link.js';
import { decodeFrame } from '../../protocol/decode.js';
import { encodeError, encodeOk, encodePush } from '../../protocol/encode.js';

const FIN_TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export const WS_JSON: WireFormat = {
  name: 'ws-json',
  decode: decodeFrame,
  push: (push) => textFrame(encodePush(push)),
  ok: (id, result) => textFrame(encodeOk(id, result)),
  error: (id, error) => textFrame(encodeError(id, error)),
};

export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = FIN_TEXT;
  if (header === 2) {
    frame[1] = length;
  } else if (header === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length >>> 0, 6);
  }
  frame.write(text, header, 'utf8');
  return frame;
}
