// What is installed: newer than the versions with known holes, one copy of what reads frames, and nothing that runs at its installation.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Package {
  readonly place: string;
  readonly name: string;
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly gypfile: boolean;
}

/** All packages below a folder `node_modules`, those inside others too. Links lead to our own parts. */
function installed(folder: string): readonly Package[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => {
      const place = join(folder, name);
      return name.startsWith('@')
        ? installed(place)
        : [...packageAt(place), ...installed(join(place, 'node_modules'))];
    });
}

function packageAt(place: string): readonly Package[] {
  const file = join(place, 'package.json');
  if (!existsSync(file)) return [];
  const {
    name = '',
    version = '',
    scripts = {},
  } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Package>;
  return [{ place, name, version, scripts, gypfile: existsSync(join(place, 'binding.gyp')) }];
}

const packages = ['', 'client', 'web'].flatMap((part) => installed(join(ROOT, part, 'node_modules')));

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(/[.-]/, 3).map(Number)) as [number[], number[]];
  for (let at = 0; at < 3; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Has an install script that nobody needs: swagger-ui-dist brings it, and it tells its makers of installations. `.npmrc` runs no script, here and
 * wherever this project is installed from its lock file.
 */
const SWITCHED_OFF = ['node_modules/@scarf/scarf'];

describe('packages', () => {
  it('are there to be looked at', () => {
    expect(packages.length).toBeGreaterThan(100);
  });

  it.each([
    ['ws', '8.23.0', 'pings that nobody reads are bounded'],
    ['@nestjs/core', '12.0.2', 'CVE-2026-102281'],
    ['jose', '6.2.17', 'the fixes of its verifier'],
    ['express', '5.0.0', 'CVE-2024-29041'],
  ])('%s is %s or newer: %s', (name, least) => {
    const found = packages.filter((one) => one.name === name);
    expect(found.length).toBeGreaterThan(0);
    for (const { place, version } of found)
      expect(compare(version, least), `${place} ${version}`).toBeGreaterThanOrEqual(0);
  });

  it.each([
    'ws',
    '@nestjs/core',
    '@nestjs/common',
    '@nestjs/platform-express',
    'express',
    'reflect-metadata',
  ])('%s is there once: a second copy would be another version some day', (name) => {
    expect(packages.filter((one) => one.name === name).map(({ place }) => place)).toHaveLength(1);
  });

  it('run nothing when they are installed', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
    // `prepare` of a package from the registry is not run; of one from elsewhere it is, and there are none.
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<
        Record<
          string,
          {
            readonly hasInstallScript?: boolean;
            readonly resolved?: string;
            readonly integrity?: string;
            readonly link?: boolean;
          }
        >
      >;
    };
    const locked = Object.entries(lock.packages).filter(([place]) => place.includes('node_modules/'));
    const withScript = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([place]) => place);
    expect(withScript.filter((place) => existsSync(join(ROOT, place)))).toEqual(SWITCHED_OFF);
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
    const running = packages.filter(
      ({ scripts, gypfile }) => gypfile || hooks.slice(0, 3).some((hook) => scripts[hook] !== undefined),
    );
    expect(running.map(({ place }) => relative(ROOT, place))).toEqual(SWITCHED_OFF);
    for (const [place, { resolved, integrity, link }] of locked) {
      if (link === true) continue;
      // Left out where it is the registry; a package from elsewhere would say so.
      expect(resolved ?? 'https://registry', place).toMatch(/^https:\/\//);
      expect(integrity ?? '', place).toMatch(/^sha512-/);
    }
  });

  it('that we name are named by one exact version', () => {
    for (const part of ['', 'client', 'web']) {
      const {
        dependencies = {},
        devDependencies = {},
        overrides = {},
      } = JSON.parse(readFileSync(join(ROOT, part, 'package.json'), 'utf8')) as Readonly<
        Record<string, Readonly<Record<string, string>> | undefined>
      >;
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...overrides }))
        expect(version, name).toMatch(/^(?:\d+\.\d+\.\d+(?:-[\w.]+)?|\*)$/);
    }
  });
});

describe('Node', () => {
  it('is 20.20.2 or newer, and the package says so', () => {
    expect(compare(process.versions.node, '20.20.2')).toBeGreaterThanOrEqual(0);
    const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly engines: { readonly node: string };
    };
    expect(engines.node).toBe('>=20.20.2');
  });
});
