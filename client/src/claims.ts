// What a token tells of itself to who holds it. Checks nothing.

/** What a JWT says of itself. Not checked, and undefined when it cannot be read: only the server knows. */
export function claimsOf(
  token: string | undefined,
): { readonly sub?: string; readonly exp?: number } | undefined {
  try {
    const [, body = ''] = token?.split('.') ?? [];
    const text = atob(body.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { sub?: string; exp?: number };
  } catch {
    return undefined;
  }
}
