// Starts the programs of a run on their core with as many open files as the system allows, and ends them; knows no
// server by name.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export interface Program {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cpu: number | undefined;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The last 4 KiB the program wrote, for the message when it fails. */
  output(): string;
}

const KEPT_OUTPUT = 4096;

/** The soft limit is often 1,024 open files; each connection takes one on either side. */
const RAISE_LIMIT_AND_EXEC = 'ulimit -n "$(ulimit -Hn)"; exec "$@"';

const children = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
  process.on(signal, () => process.exit(code));
}

/** `exec` keeps the pid through the shell and taskset, so the pid is the program's own. */
export function startProgram({ command, env, cpu }: Program): Running {
  const pinned = cpu === undefined ? command : ['taskset', '-c', String(cpu), ...command];
  const child = spawn('sh', ['-c', RAISE_LIMIT_AND_EXEC, 'sh', ...pinned], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) throw new Error(`cannot start ${command.join(' ')}`);
  children.add(child);
  child.once('exit', () => children.delete(child));
  let kept = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      kept = (kept + text).slice(-KEPT_OUTPUT);
    });
  }
  return { child, pid: child.pid, output: () => kept };
}

/** SIGKILL: these servers hold nothing worth a drain, and a drain would delay the next run by its grace. */
export async function stopProgram({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
