#!/usr/bin/env node
// The command `trunkline`: reads its words and hands them to a command. Knows no server.

import { ConfigError } from '../config/config.js';
import { COMMANDS, USAGE, UsageError } from './commands.js';

const [name = 'help', ...words] = process.argv.slice(2);

try {
  const command = COMMANDS.get(name);
  if (command === undefined) {
    const asked = name === 'help' || name === '--help' || name === '-h';
    (asked ? process.stdout : process.stderr).write(USAGE);
    process.exitCode = asked ? 0 : 2;
  } else {
    await command(words);
  }
} catch (error) {
  const told = error instanceof UsageError || error instanceof ConfigError;
  process.stderr.write(`${told ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
