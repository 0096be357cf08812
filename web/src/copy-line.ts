// A command to paste into a terminal, with a button that copies it. Knows no server.

import { h, icon } from './dom.js';

const DONE_MS = 2000;

export function copyLine(label: string, command: string): HTMLElement {
  const code = h('code', { class: 'paste-code', tabindex: '0', 'aria-label': label }, command);
  const text = h('span', {}, 'Copy');
  const button = h('button', { type: 'button', class: 'paste-button' }, icon('copy'), text);
  const said = h('span', { class: 'visually-hidden', role: 'status' });
  let timer: number | undefined;
  const tell = (word: string): void => {
    window.clearTimeout(timer);
    text.textContent = word;
    said.textContent = word;
    timer = window.setTimeout(() => {
      text.textContent = 'Copy';
      said.textContent = '';
    }, DONE_MS);
  };
  button.addEventListener('click', () => {
    void copy(command, code).then(tell);
  });
  return h('div', { class: 'paste', 'data-testid': 'paste' }, code, button, said);
}

/** The clipboard exists on https and localhost only; elsewhere the command is selected, ready for the copy key. */
async function copy(command: string, code: HTMLElement): Promise<string> {
  try {
    await navigator.clipboard.writeText(command);
    return 'Copied';
  } catch {
    getSelection()?.selectAllChildren(code);
    return 'Selected';
  }
}

/** A call that publishes, as a shell of POSIX takes it. `credential` goes between double quotes, so a variable works. */
export function publishCommand(
  channel: string,
  { event, data, credential }: { event: string; data: object; credential: string },
): string {
  const url = `${location.origin}/api/channels/${encodeURIComponent(channel).replaceAll('%3A', ':')}/messages`;
  const body = JSON.stringify({ event, data }).replaceAll("'", String.raw`'\''`);
  return `curl -s ${url} -H "authorization: Bearer ${credential}" -H 'content-type: application/json' -d '${body}'`;
}
