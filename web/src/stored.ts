// What a tab remembers over a reload: JSON in sessionStorage. Knows no page.

export function readStored(key: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // Storage may be forbidden by the browser's settings; the tab then starts afresh on reload.
    return {};
  }
}

export function writeStored(key: string, value: object): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // As in readStored().
  }
}
