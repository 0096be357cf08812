// The form of a ticket. Its beginning tells people, logs and secret scanners what it is.

/** 256 bits. */
export const TICKET_BYTES = 32;
export const TICKET_PREFIX = 'tkt_';
const TICKET = /^tkt_[A-Za-z0-9_-]{43}$/;

export function isTicketText(text: string): boolean {
  return TICKET.test(text);
}
