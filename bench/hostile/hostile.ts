// Scenario `hostile`: how late messages come to 1,000 honest sockets while 20,000 hostile connects a minute arrive, beside how late they come
// without. Apart from the others, since two programs load the server. Starts all of them, prints the table.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { saveResult, wholeNumbers } from '../lib/apart.js';
import { BenchError } from '../lib/bench-error.js';
import { choosePinning, type Pinning } from '../lib/cpus.js';
import { buildLoadClient, loadArguments, type LoadTarget } from '../lib/load.js';
import { freePort } from '../lib/measure.js';
import { type Running, startProgram, stopProgram } from '../lib/processes.js';
import { median, medianRatio } from '../lib/stats.js';
import { newSecret, signToken } from '../servers/token.js';
import { trunkline } from '../servers/trunkline.js';
import type { AttackOutput } from './attack.main.js';

interface Plan {
  readonly sockets: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly perMinute: number;
  readonly addresses: number;
  readonly rounds: number;
}

interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuShare: number;
}

interface Round {
  readonly calm: Delay;
  readonly attacked: Delay;
  readonly attack: AttackOutput;
}

const STANDARD: Plan = {
  sockets: 1000,
  perSecond: 10,
  seconds: 10,
  perMinute: 20_000,
  addresses: 400,
  rounds: 5,
};
const MOST_TIMES = 2;
/** An unfinished request lives for 12 s at most: by then there are as many of them as there will be. */
const GROW_MS = 13_000;
const WARMUP_SECONDS = 2;
const PADDING_BYTES = 64;
/** More than the rate ever has on its way, so that the pace is the clock's and not the answers'. */
const IN_FLIGHT = 10;
const READY_MS = 20_000;

export async function hostileBench(args: readonly string[]): Promise<void> {
  const plan = readPlan(args);
  const pinning = choosePinning();
  if (!pinning) console.error('Not pinned: taskset and two cores are needed for figures to compare.');
  const why = trunkline.unavailable?.();
  if (why !== undefined) throw new BenchError(`trunkline: ${why}`);
  const rounds: Round[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    const one = await measured(plan, pinning);
    console.error(
      `hostile ${round + 1}/${plan.rounds}  calm ${textOf(one.calm)}  attacked ${textOf(one.attacked)}`,
    );
    rounds.push(one);
  }
  const about = `${plan.sockets} sockets receive ${plan.perSecond} messages a second; ${plan.perMinute} hostile connects a minute from ${plan.addresses} addresses`;
  console.log(
    `\n## hostile\n\n${about};\nmedian of ${plan.rounds} rounds\n\n${tableOf(rounds)}\n\n${answersOf(rounds)}`,
  );
  saveResult({
    scenario: 'hostile',
    plan,
    standard: STANDARD,
    pinning,
    rest: { ratio: ratioOf(rounds), rounds },
  });
}

function readPlan(args: readonly string[]): Plan {
  const given = wholeNumbers(args, ['rounds', 'seconds', 'sockets', 'per-minute']);
  const [rounds = STANDARD.rounds] = given.rounds ?? [];
  const [seconds = STANDARD.seconds] = given.seconds ?? [];
  const [sockets = STANDARD.sockets] = given.sockets ?? [];
  const [perMinute = STANDARD.perMinute] = given['per-minute'] ?? [];
  return { ...STANDARD, rounds, seconds, sockets, perMinute };
}

/** One server for both sides of a ratio; the attack comes second, so that nothing of it is left in the calm. */
async function measured(plan: Plan, pinning: Pinning | undefined): Promise<Round> {
  const running: Running[] = [];
  const port = await freePort();
  const secret = newSecret();
  try {
    const { args, env } = trunkline.launch({ port, secret });
    const server = startProgram({ command: [process.execPath, ...args], env, cpu: pinning?.server });
    running.push(server);
    await untilServed(`http://127.0.0.1:${port}${trunkline.readyPath}`);
    const dialect = trunkline.dialect(signToken(secret, 'bench'));
    const target = { port, pid: server.pid, dialect, cpu: pinning?.load };
    // The first sockets of a process wait for its code to be compiled, which belongs to neither side.
    await delays({ ...plan, seconds: WARMUP_SECONDS }, target);
    const calm = await delays(plan, target);
    const program = fileURLToPath(new URL('./attack.main.js', import.meta.url));
    const { perMinute, addresses } = plan;
    const attackers = startProgram({
      command: [process.execPath, program],
      env: { PLAN: JSON.stringify({ port, perMinute, addresses }) },
      cpu: pinning?.load,
    });
    running.push(attackers);
    await pause(GROW_MS);
    const attacked = await delays(plan, target);
    return { calm, attacked, attack: checked(await endOf(attackers), plan) };
  } finally {
    for (const one of running.reverse()) await stopProgram(one);
  }
}

async function delays(plan: Plan, target: LoadTarget): Promise<Delay> {
  const { sockets, perSecond, seconds } = plan;
  const publish = { inFlight: IN_FLIGHT, padding: PADDING_BYTES, warmupSeconds: WARMUP_SECONDS, seconds };
  const args = [...loadArguments(target, { connections: sockets, publish }), '-r', String(perSecond)];
  const load = startProgram({ command: [buildLoadClient(), ...args], env: {}, cpu: target.cpu });
  const [code] = (await once(load.child, 'close')) as [number | null];
  if (code !== 0) throw new BenchError(`the load client failed: ${load.output().trim()}`);
  const output = JSON.parse(load.output()) as {
    readonly errors: number;
    readonly publish: Delay & { readonly deliveries: number; readonly expected: number };
  };
  const { deliveries, expected, p50Ms, p99Ms, cpuShare } = output.publish;
  if (output.errors > 0 || deliveries !== expected)
    throw new BenchError(
      `run refused: ${deliveries} of ${expected} deliveries, ${output.errors} sockets failed`,
    );
  return { p50Ms, p99Ms, cpuShare };
}

async function endOf(attackers: Running): Promise<AttackOutput> {
  attackers.child.kill('SIGTERM');
  await once(attackers.child, 'close');
  return JSON.parse(attackers.output()) as AttackOutput;
}

/** A server looks calm to attackers that are too slow. */
function checked(attack: AttackOutput, { perMinute }: Plan): AttackOutput {
  const reached = (attack.opened * 60) / attack.seconds;
  if (reached < perMinute * 0.95)
    throw new BenchError(`run refused: ${Math.round(reached)} connects a minute`);
  if (attack.statuses['101'] !== undefined) throw new BenchError('run refused: a bad token was let in');
  return attack;
}

async function untilServed(url: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (
    !(await fetch(url).then(
      (response) => response.ok,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new BenchError('hostile: the server does not answer');
    await pause(25);
  }
}

const textOf = ({ p50Ms, p99Ms }: Delay): string => `p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} ms`;

function ratioOf(rounds: readonly Round[]): number {
  return medianRatio(
    rounds.map(({ attacked }) => attacked.p99Ms),
    rounds.map(({ calm }) => calm.p99Ms),
  );
}

function tableOf(rounds: readonly Round[]): string {
  const row = (name: string, side: 'calm' | 'attacked'): string[] => {
    const middle = (figure: keyof Delay): number => median(rounds.map((round) => round[side][figure]));
    const p99 = rounds.map((round) => round[side].p99Ms);
    const span = `${Math.min(...p99).toFixed(2)}–${Math.max(...p99).toFixed(2)}`;
    const share = `${(middle('cpuShare') * 100).toFixed(0)} %`;
    return [name, middle('p50Ms').toFixed(2), middle('p99Ms').toFixed(2), span, share];
  };
  const ratio = ratioOf(rounds);
  const verdict = `${ratio.toFixed(2)} ×, < ${MOST_TIMES} ×: ${ratio < MOST_TIMES ? 'met' : 'missed'}`;
  const heading = ['', 'p50 ms', 'p99 ms', 'lowest–highest', 'CPU of the server', 'p99 to calm'];
  const rows = [
    heading,
    heading.map((_, n) => (n === 0 || n === 5 ? '---' : '--:')),
    [...row('calm', 'calm'), ''],
    [...row('attacked', 'attacked'), verdict],
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function answersOf(rounds: readonly Round[]): string {
  const total = new Map<string, number>();
  for (const { attack } of rounds)
    for (const [status, count] of Object.entries(attack.statuses))
      total.set(status, (total.get(status) ?? 0) + count);
  const statuses = [...total].map(([status, count]) => `${status}: ${count}`).join(', ');
  const longest = Math.max(...rounds.map(({ attack }) => attack.longestMs)) / 1000;
  return `Bad tokens were answered ${statuses}. Unfinished requests lived ${longest.toFixed(1)} s at most.`;
}
