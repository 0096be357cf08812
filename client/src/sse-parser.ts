// Bytes of an event stream to events, by the rules of WHATWG HTML §9.2.6, however the bytes are cut. Knows no connection.

export interface SseEvent {
  readonly event: string;
  readonly data: string;
  /** The last `id` so far, of this event or an earlier one. */
  readonly id: string;
}

/** Characters of one event, its longest line included. A list of 50,000 members fits. */
export const EVENT_LIMIT = 4 * 1024 * 1024;

/** Throws when an event is longer than `limit`. `retry` is for native readers: this client has its own backoff. */
export function sseParser(
  emit: (event: SseEvent) => void,
  limit: number = EVENT_LIMIT,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  let line = '';
  let afterReturn = false;
  let event = '';
  let data = '';
  let id = '';

  const take = (): void => {
    if (line === '') {
      const whole = { event: event || 'message', data: data.slice(0, -1), id };
      const any = data !== '';
      event = data = '';
      if (any) emit(whole);
      return;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) as unknown as [
      string,
      string,
      string?,
    ];
    if (field === 'data') data += `${value}\n`;
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  };

  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true });
    if (afterReturn && text !== '') {
      afterReturn = false;
      // The second half of a CRLF.
      if (text.startsWith('\n')) text = text.slice(1);
    }
    if (text.endsWith('\r')) afterReturn = true;
    const pieces = text.split(/\r\n?|\n/);
    const rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      line += piece;
      take();
      line = '';
    }
    line += rest;
    if (line.length + data.length > limit) throw new Error('The server sent an event that is too long.');
  };
}
