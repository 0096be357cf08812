// Finds the programs the tests drive (a browser, Redis, Python with websockets) and installs them where that is possible.
// Knows nothing of the tests themselves.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const BROWSER_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const BROWSER_FILES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
/** Debian installs python3-websockets for this one only; another `python3` may stand before it on the PATH. */
const DEBIAN_PYTHON = '/usr/bin/python3';

/**
 * @typedef {object} Need
 * @property {string} what names the missing thing in a sentence
 * @property {() => string | undefined} find gives the path of the program
 * @property {string[]} packages Debian's packages that bring it
 * @property {string} remedy what a person can do about it
 */

/** @type {Need[]} */
const NEEDS = [
  {
    what: 'Chromium or Chrome',
    find: findChromium,
    packages: ['chromium', 'fonts-dejavu-core'],
    remedy: 'Install it (Debian: apt-get install chromium), or set CHROME_PATH to its program.',
  },
  {
    what: 'openssl',
    find: () => onPath('openssl'),
    packages: ['openssl'],
    remedy: 'Install it (Debian: apt-get install openssl); tests make a certificate with it.',
  },
  {
    what: 'nginx',
    find: findNginx,
    packages: ['nginx-light'],
    remedy: 'Install it (Debian: apt-get install nginx-light); transports are tested behind it.',
  },
  {
    what: 'haproxy',
    find: findHaproxy,
    packages: ['haproxy'],
    remedy:
      'Install version 2.6 or later (Debian: apt-get install haproxy); transports are tested behind it.',
  },
  {
    what: 'redis-server',
    find: findRedis,
    packages: ['redis-server'],
    remedy:
      'Install version 7 or later (Debian: apt-get install redis-server); many instances are tested over it.',
  },
  {
    what: 'slowhttptest',
    find: findSlowHttpTest,
    packages: ['slowhttptest'],
    remedy: 'Install it (Debian: apt-get install slowhttptest); it plays the slow peers of a test.',
  },
  {
    what: 'Python 3 with the module "websockets"',
    find: findPython,
    packages: ['python3', 'python3-websockets'],
    remedy:
      'Install it (Debian: apt-get install python3-websockets; elsewhere: python3 -m pip install websockets).',
  },
];

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** @param {string} name */
function onPath(name) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function givenBrowser() {
  const given = process.env['CHROME_PATH'];
  return given === '' ? undefined : given;
}

/** CHROME_PATH is the caller's word: when it leads nowhere it is not replaced by a guess. */
export function findChromium() {
  const given = givenBrowser();
  if (given !== undefined) return isProgram(given) ? given : undefined;
  for (const name of BROWSER_NAMES) {
    const file = onPath(name);
    if (file !== undefined) return file;
  }
  return BROWSER_FILES.find(isProgram);
}

/** Debian keeps servers where the PATH of ordinary users does not look. @param {string} name */
function serverProgram(name) {
  return onPath(name) ?? [`/usr/sbin/${name}`, `/usr/local/sbin/${name}`].find(isProgram);
}

export function findNginx() {
  return serverProgram('nginx');
}

export function findHaproxy() {
  return serverProgram('haproxy');
}

/** It is Sentinel and a node of a Cluster too; no other program is needed. */
export function findRedis() {
  return onPath('redis-server') ?? ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find(isProgram);
}

export function findSlowHttpTest() {
  return onPath('slowhttptest');
}

/** The first Python 3 that can import websockets. */
export function findPython() {
  const candidates = [onPath('python3'), DEBIAN_PYTHON].filter((file) => file !== undefined);
  return candidates.find(
    (file) => spawnSync(file, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
  );
}

function mayInstall() {
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) return false;
  try {
    return /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** @param {string[]} packages */
function install(packages) {
  console.log(`Installing with apt-get: ${packages.join(' ')}`);
  /** @param {string[]} args */
  const apt = (args) =>
    execFileSync('apt-get', ['-qq', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  try {
    apt(['update']);
    apt(['install', '-y', '--no-install-recommends', ...packages]);
  } catch {
    console.error('apt-get failed; its own words are above.');
  }
}

/** Installs what is missing when root on Debian. Gives one line for each thing that is missing after that. */
export function ensureSystem() {
  const given = givenBrowser();
  if (given !== undefined && !isProgram(given)) return [`CHROME_PATH is "${given}", which is no program.`];
  let missing = NEEDS.filter((need) => need.find() === undefined);
  if (missing.length > 0 && mayInstall()) {
    install(missing.flatMap((need) => need.packages));
    missing = missing.filter((need) => need.find() === undefined);
  }
  return missing.map((need) => `Missing: ${need.what}. ${need.remedy}`);
}
