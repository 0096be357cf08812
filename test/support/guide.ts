// Runs what a guide of docs/ says, as a reader who pastes it: its blocks, the packed client in a folder of its own, programs with what
// they print. Knows no guide.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { pythonPath } from './system.js';

const run = promisify(execFile);
/** Longest wait for a line of a program, in ms; the rest is for a busy machine. */
const LINE_LIMIT_MS = 20_000;

/** The one block of a page whose first line after the fence is `info`, such as `js main.js`; `mark` tells twins apart. */
export function block(page: string, info: string, mark: string | RegExp = ''): string {
  const found = [...readFileSync(page, 'utf8').matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].filter(
    ([, name, text = '']) => name === info && text.search(mark) >= 0,
  );
  expect(found, `one block "${info}" with "${String(mark)}" in ${page}`).toHaveLength(1);
  return found[0]?.[2] ?? '';
}

/** Replaces `from`, which must be there: a guide that no longer says it fails here. */
export function put(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replaceAll(from, to);
}

/** The client as it is published, packed once for a test file. */
export async function packClient(folder: string): Promise<string> {
  const { stdout } = await run('npm', [
    ...['pack', '--workspace', 'client', '--json', '--ignore-scripts'],
    ...['--pack-destination', folder],
  ]);
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return join(folder, packed?.filename ?? '');
}

export class ReaderFolder {
  constructor(readonly path: string) {}

  static make(): ReaderFolder {
    return new ReaderFolder(mkdtempSync(join(tmpdir(), 'trunkline-guide-')));
  }

  /**
   * The commands of a guide, without its `mkdir`: the client comes from the packed file, other packages from where this project has
   * them, since a test asks no registry.
   */
  async install(commands: string, packed: string): Promise<void> {
    for (const line of commands.trim().split('\n')) {
      const [, names] = /^npm i (?:-D )?(.+)$/.exec(line) ?? [];
      if (line === 'npm init -y') await run('npm', ['init', '-y'], { cwd: this.path });
      else if (names !== undefined) await this.add(names.split(' '), packed);
      else expect(line).toMatch(/^(mkdir \S+ && cd \S+|npx vite build)$/);
    }
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    writeFileSync(join(this.path, name), text);
  }

  link(name: string): void {
    const target = join(this.path, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(resolve('node_modules', name), target);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  private async add(names: readonly string[], packed: string): Promise<void> {
    const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    if (names.includes('trunkline-client')) await run('npm', ['i', ...quiet, packed], { cwd: this.path });
    for (const name of names) if (name !== 'trunkline-client') this.link(name);
    if (names.includes('vite')) this.link('.bin/vite');
  }
}

/** A program with what it printed, both streams. */
export class Program {
  output = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private readonly waiters = new Set<() => void>();

  constructor(command: readonly [string, ...string[]], cwd: string, env: Record<string, string> = {}) {
    const [file, ...args] = command;
    this.child = spawn(file, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
        for (const look of [...this.waiters]) look();
      });
    }
    this.ended = new Promise((done) => this.child.once('close', (code) => done(code)));
  }

  /** Resolves with the match as soon as the output has it. */
  prints(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((done, fail) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.waiters.delete(look);
      };
      const look = (): void => {
        const match = pattern.exec(this.output);
        if (match === null) return;
        finish();
        done(match);
      };
      const timer = setTimeout(() => {
        finish();
        fail(new Error(`${String(pattern)} was not printed within ${LINE_LIMIT_MS} ms:\n${this.output}`));
      }, LINE_LIMIT_MS);
      this.waiters.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** The file server of the guides, on a free port. */
export async function serveFolder(path: string): Promise<{ url: string; program: Program }> {
  const command = [pythonPath(), '-u', '-m', 'http.server', '0', '--bind', '127.0.0.1'] as const;
  const program = new Program(command, path);
  const [, port] = await program.prints(/ port (\d+) /);
  return { url: `http://127.0.0.1:${port}`, program };
}
