// Says on what machine and with which versions a result was measured; measures nothing. Names no host and no path.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectDir } from './paths.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

export interface Versions {
  readonly trunkline: string;
  readonly commit: string | null;
  readonly ws: string;
  readonly 'socket.io': string;
}

export function describeVersions(): Versions {
  const require = createRequire(import.meta.url);
  return {
    trunkline: versionIn(join(projectDir, 'package.json')),
    commit: currentCommit(),
    ws: versionIn(require.resolve('ws/package.json')),
    'socket.io': versionIn(require.resolve('socket.io/package.json')),
  };
}

function versionIn(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/** `-dirty` when tracked files differ: such a figure belongs to no commit. */
function currentCommit(): string | null {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: projectDir, encoding: 'utf8' });
  const head = git('rev-parse', '--short', 'HEAD');
  if (head.status !== 0) return null;
  const changes = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!bench/results').stdout;
  return head.stdout.trim() + (changes.trim() === '' ? '' : '-dirty');
}
