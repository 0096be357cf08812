// Reads the command line into scenarios and settings; runs nothing.
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { BenchError } from './lib/bench-error.js';
import type { ScenarioRun } from './lib/run-scenario.js';
import { scenarioNamed, scenarios } from './scenarios/registry.js';
import type { Settings } from './scenarios/scenario.js';
import { servers } from './servers/registry.js';

export interface Request extends ScenarioRun {
  readonly standard: boolean;
}

const FLAGS = {
  help: { type: 'boolean' },
  servers: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  sockets: { type: 'string' },
  'in-flight': { type: 'string' },
} as const;

/** Undefined when the caller asked for help. */
export function readFlags(args: readonly string[]): Request[] | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const chosen = positionals.length > 0 ? positionals.map(scenarioNamed) : scenarios;
  return chosen.map((scenario) => {
    const settings: Settings = {
      servers: values.servers?.split(',') ?? scenario.defaults.servers,
      rounds: wholeNumbers('rounds', values.rounds)?.[0] ?? scenario.defaults.rounds,
      seconds: wholeNumbers('seconds', values.seconds)?.[0] ?? scenario.defaults.seconds,
      sockets: wholeNumbers('sockets', values.sockets) ?? scenario.defaults.sockets,
      inFlight: wholeNumbers('in-flight', values['in-flight']) ?? scenario.defaults.inFlight,
    };
    return { scenario, settings, standard: isDeepStrictEqual(settings, scenario.defaults) };
  });
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumbers(flag: string, text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const numbers = text.split(',').map(Number);
  if (numbers.every((value) => Number.isInteger(value) && value > 0)) return numbers;
  throw new BenchError(`--${flag} takes whole numbers above 0, not "${text}"`);
}

export function helpText(): string {
  const list = (items: readonly { name: string; about: string }[]) =>
    items.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n');
  return `npm run bench [-- scenario …] [--servers a,b] [--rounds 3] [--seconds 4] [--sockets 1000,5000] [--in-flight 1,10]

scenarios (all of them when none is named)
${list(scenarios)}
  channels       memory and restart of Redis with 100,000 channels; only when named, takes --sessions, --channels-each and --rounds
  hostile        how late messages come under 20,000 hostile connects a minute; only when named, takes --rounds, --seconds, --sockets and --per-minute
  publish        what a history publish over Redis costs its process; only when named, takes --rounds and --in-flight

servers
${list(servers)}`;
}
