// Child processes of `npm run cluster`: started with prefixed output, waited for, ended one by one. Knows none of the programs.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** Milliseconds until a program must be up. It takes about a second; the rest is for a busy machine. */
const START_MS = 30_000;
/** Milliseconds a process may take to end. Instances drain for one second. */
const STOP_MS = 5000;
/** Of the terminal, in the order the names first appear. */
const COLORS = [36, 33, 35, 32, 34];

/** What a person can put right; told without a stack. */
export class Trouble extends Error {}

/** @type {Set<ChildProcess>} */
export const running = new Set();
/** @type {string[]} */
const names = [];

/** @param {string} name @param {string} line */
export function print(name, line) {
  if (!names.includes(name)) names.push(name);
  const color = COLORS[names.indexOf(name) % COLORS.length];
  const shown = process.stdout.isTTY ? `\x1b[${String(color)}m${name.padEnd(5)}\x1b[0m` : name.padEnd(5);
  console.log(`${shown} │ ${line}`);
}

/**
 * In a process group of its own: Ctrl-C at the terminal reaches this process alone, which ends the others in order.
 * @param {string} name @param {string} program @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, hear?: (line: string) => boolean }} [options] `hear`: false keeps the line from
 * being printed
 */
export function start(name, program, args, { env = process.env, hear = () => true } = {}) {
  const child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.once('error', (error) => {
    running.delete(child);
    print(name, error.message);
  });
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => {
      if (hear(line) && line.trim() !== '') print(name, line);
    });
  return child;
}

/** @param {ChildProcess} child @param {NodeJS.Signals} signal */
export async function end(child, signal) {
  if (!running.has(child)) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await closed;
  clearTimeout(limit);
}

/** @param {() => boolean | Promise<boolean>} condition @param {string} what @param {ChildProcess} child */
export async function isUp(condition, what, child) {
  const limit = Date.now() + START_MS;
  while (!(await condition())) {
    if (!running.has(child)) throw new Trouble(`${what} ended at its start; its own words are above.`);
    if (Date.now() > limit) throw new Trouble(`${what} did not start within ${START_MS / 1000} s.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Takes 0 for a free one. @param {number} port @param {string} variable @returns {Promise<number>} */
export function freePort(port, variable) {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', () =>
      reject(new Trouble(`Port ${port} cannot be had. Choose another with ${variable}; 0 takes a free one.`)),
    );
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

/** @param {number} port @returns {Promise<boolean>} */
export function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
