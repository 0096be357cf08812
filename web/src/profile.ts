// Who this tab is: kept in sessionStorage, so that two windows side by side are two people. Knows no server.

import { DEFAULT_ROOM, cleanName, cleanRoom, randomSuffix, suggestName } from './names.js';
import { readStored, writeStored } from './stored.js';

export interface Profile {
  readonly name: string;
  readonly room: string;
  /** Ends the user id of this tab. */
  readonly suffix: string;
  /** True between join and leave: a reload then goes straight back in. */
  readonly joined: boolean;
  /** Rooms this tab has been in, in the order of the first visit: a list must not move under the pointer. */
  readonly rooms: readonly string[];
}

const KEY = 'trunkline-chat';
const MAX_ROOMS = 8;

export function loadProfile(): Profile {
  const stored = readStored(KEY);
  const name = typeof stored['name'] === 'string' ? cleanName(stored['name']) : '';
  const room = typeof stored['room'] === 'string' ? cleanRoom(stored['room']) : '';
  return {
    name: name === '' ? suggestName() : name,
    room: room === '' ? DEFAULT_ROOM : room,
    suffix: typeof stored['suffix'] === 'string' ? stored['suffix'] : randomSuffix(),
    joined: stored['joined'] === true,
    rooms: Array.isArray(stored['rooms'])
      ? stored['rooms'].filter((item): item is string => typeof item === 'string')
      : [],
  };
}

/** True once a person was somebody in this tab. */
export function hasProfile(): boolean {
  return typeof readStored(KEY)['name'] === 'string';
}

export function saveProfile(profile: Profile): void {
  writeStored(KEY, profile);
}

export function withRoom(profile: Profile, room: string): Profile {
  const rooms = profile.rooms.includes(room) ? profile.rooms : [...profile.rooms, room].slice(-MAX_ROOMS);
  return { ...profile, room, rooms };
}

export interface LinkParameters {
  readonly name: string | undefined;
  readonly room: string | undefined;
  readonly token: string | undefined;
}

/** `#name=Ana&room=lobby&token=…`; a leading `?` is allowed. The fragment never reaches a server or its logs. */
export function readLink(hash: string): LinkParameters {
  const parameters = new URLSearchParams(hash.replace(/^#?\??/, ''));
  const clean = (key: string, cleaner: (text: string) => string): string | undefined => {
    const text = cleaner(parameters.get(key) ?? '');
    return text === '' ? undefined : text;
  };
  return {
    name: clean('name', cleanName),
    room: clean('room', cleanRoom),
    token: clean('token', (text) => text.trim()),
  };
}
