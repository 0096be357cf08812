// CRC16 as Redis Cluster deals keys to slots (XMODEM, polynomial 0x1021). Knows no key.

export const SLOTS = 16_384;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text))
    crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] as number);
  return crc;
}

/** The slot of a hash tag, or of a key without one. */
export function slotOf(text: string): number {
  return crc16(text) % SLOTS;
}
