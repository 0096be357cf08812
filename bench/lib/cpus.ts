// Decides which core serves and which core loads, so that neither steals time from the other; starts nothing.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Pinning {
  readonly server: number;
  readonly load: number;
}

/** `"0-2,5"` → `[0, 1, 2, 5]`, the kernel's notation for a set of cores. */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, step) => first + step);
    });
}

/** The first two cores this process may use; undefined without `taskset` or with a single core. */
export function choosePinning(): Pinning | undefined {
  if (spawnSync('taskset', ['--version']).status !== 0) return undefined;
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const [server, load] = parseCpuList(allowed ?? '');
  return server === undefined || load === undefined ? undefined : { server, load };
}
