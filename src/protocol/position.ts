// A position: where a reader stands in one channel. Parse and print; never throws on input from outside.

/** `offset` 0 with an empty `id` is the place before the first publication of the epoch. */
export interface Position {
  /** Random name of this life of the log; another epoch means offsets cannot be compared. */
  readonly epoch: string;
  /** Whole number ≥ 0, at most 2^53 − 1. */
  readonly offset: number;
  /** Id of the publication at `offset`, or '' when unknown. Only the id can tell offsets that were reused after a failover. */
  readonly id: string;
}

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;

export function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

export function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export function isPublicationId(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

/** From the parsed JSON of a frame; `id` may be missing. */
export function readPosition(value: unknown): Position | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, offset, id = '' } = value as { epoch?: unknown; offset?: unknown; id?: unknown };
  if (!isEpoch(epoch) || !isOffset(offset)) return undefined;
  if (id !== '' && !isPublicationId(id)) return undefined;
  return { epoch, offset, id };
}

/** Text form `epoch.offset.id`, as used in URLs. */
export function formatPosition(position: Position): string {
  return `${position.epoch}.${position.offset}.${position.id}`;
}

export function parsePosition(text: string): Position | undefined {
  const parts = text.split('.');
  if (parts.length < 2 || parts.length > 3) return undefined;
  const [epoch, digits, id = ''] = parts as [string, string, string?];
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits)) return undefined;
  return readPosition({ epoch, offset: Number(digits), id });
}
