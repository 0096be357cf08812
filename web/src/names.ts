// Names of people and rooms: cleaning, suggesting, colouring. Pure functions; knows no page and no server.

export const MAX_NAME = 40;
export const MAX_ROOM = 64;
export const DEFAULT_ROOM = 'lobby';

const FIRST = [
  'Amber',
  'Brisk',
  'Calm',
  'Clever',
  'Coral',
  'Gentle',
  'Hazel',
  'Keen',
  'Lively',
  'Mellow',
  'Quiet',
  'Silver',
  'Sunny',
  'Swift',
  'Violet',
  'Warm',
];
const SECOND = [
  'Badger',
  'Curlew',
  'Dolphin',
  'Falcon',
  'Finch',
  'Fox',
  'Heron',
  'Ibex',
  'Lark',
  'Lynx',
  'Marten',
  'Otter',
  'Owl',
  'Puffin',
  'Robin',
  'Wren',
];

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

export function suggestName(): string {
  return `${pick(FIRST)} ${pick(SECOND)}`;
}

/** Four letters and digits that tell two people of one name apart. */
export function randomSuffix(): string {
  return Array.from({ length: 4 }, () => pick([...'abcdefghjkmnpqrstuvwxyz23456789'])).join('');
}

/** By code points, so that no character is cut in half. */
function firstOf(text: string, count: number): string {
  return [...text].slice(0, count).join('');
}

/** Spaces become one space; what the server takes in no name goes. Empty when nothing is left. */
export function cleanName(text: string): string {
  const clean = text
    .replace(/\p{Z}+/gu, ' ')
    .replace(/[\p{C}"\\]+/gu, '')
    .trim();
  return firstOf(clean, MAX_NAME).trim();
}

/** `Ana María` + `k3f9` → `ana-maria-k3f9`. */
export function userId(name: string, suffix: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  return `${slug === '' ? 'guest' : firstOf(slug, MAX_NAME)}-${suffix}`;
}

/** One segment of a channel name: lower case, dashes for spaces, no character that a channel name refuses. */
export function cleanRoom(text: string): string {
  const clean = text
    .replace(/^[#\p{Z}]+|\p{Z}+$/gu, '')
    .toLowerCase()
    .replace(/\p{Z}+/gu, '-')
    .replace(/[\p{C}{}*"\\:]+/gu, '');
  return firstOf(clean, MAX_ROOM);
}

/** Up to two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(/[\s_.-]+/u).filter((word) => word !== '');
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toUpperCase() ?? '')
    .join('');
}

// Steps of 30°; the yellow-greens from 90° to 120° look alike and dirty on both themes, so they are left out.
const HUES = [20, 45, 70, 145, 170, 200, 230, 260, 290, 315, 345];

/** The same colour for the same user in every window (FNV-1a over the id). */
export function hueOf(user: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 0x01000193) >>> 0;
  return HUES[hash % HUES.length] as number;
}
