// A user id as one segment of a channel name. Ids may hold what names may not: colons, spaces, braces.

const NOT_IN_A_SEGMENT = /[%:{}*\p{Z}]/gu;

/** As in a URL: `urn:5` → `urn%3A5`. Ids of letters, digits and `-_.@` stay as they are, and no two ids become one. */
export function segmentOf(user: string): string {
  return user.replaceAll(NOT_IN_A_SEGMENT, (one) => (one === '*' ? '%2A' : encodeURIComponent(one)));
}
