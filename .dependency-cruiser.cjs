// The direction of imports as failing rules: the "may import" table of docs/architecture.md, one rule a row. Type-only
// imports count. test/unit/import-boundaries.spec.ts plants a violation of each rule and expects its name.

/** Everything of our own. What is not in it (npm packages, Node's modules) is no matter of rooms. */
const HOUSE = '^(src|dist|client|web|test|bench|scripts|examples|deploy)/';

const PROTOCOL = '^src/protocol/';
const CORE = '^src/core/';
/** What core asks of others and tells them: ports and their tokens, errors, and the identity that auth makes and policy reads. */
const CORE_PORTS = '^src/core/(ports/.+|tokens|errors|[^/]*identity)\\.ts$';
/** What core does for others, behind one class. It throws core's errors and takes an identity, so these belong to it. */
const CORE_FACADE = '^src/core/(facade/.+|facade|operations|realtime[^/]*|errors|[^/]*identity)\\.ts$';
const CHANNELS = '^src/channels/';
const AUTH = '^src/auth/';
const LIMITS = '^src/limits/';
const DOOR = '^src/index\\.ts$';
/** `trunkline/server` and `trunkline/config`: for the main file of an application. */
const START_DOORS = '^src/(bootstrap|config/config)\\.ts$';

const ROOMS = [
  'protocol',
  'core',
  'channels',
  'backplanes',
  'auth',
  'limits',
  'transports',
  'api',
  'ops',
  'console',
  'config',
  'domains',
  // A second start beside main.ts; like it, it may import everything and nothing may import it.
  'cli',
];
const NOT_A_ROOM = `^src/(?!(${ROOMS.join('|')})/)[^/]+/`;

/**
 * One row of the table: files under `from` may import, of our own tree, `allowed` and nothing else.
 * @param {string} name @param {string} from @param {string[]} allowed @param {string} comment
 */
function row(name, from, allowed, comment) {
  return {
    name,
    severity: 'error',
    comment,
    from: { path: from },
    to: { path: HOUSE, pathNot: [from, ...allowed] },
  };
}

/**
 * Folders side by side under `parent` never import each other, nor a file that lies between them.
 * @param {string} name @param {string} parent @param {string} comment
 */
function apart(name, parent, comment) {
  return {
    name,
    severity: 'error',
    comment,
    from: { path: `^${parent}/([^/]+)/` },
    to: { path: `^${parent}/`, pathNot: `^${parent}/$1/` },
  };
}

const table = [
  {
    name: 'protocol-imports-nothing',
    severity: 'error',
    comment: 'Server and client share protocol: no room, no npm package, no Node module.',
    from: { path: PROTOCOL },
    to: { pathNot: PROTOCOL },
  },
  row('core-row', CORE, [PROTOCOL], 'core imports protocol only.'),
  {
    name: 'core-knows-no-nest',
    severity: 'error',
    comment:
      'Core is plain classes, tested and benched without an application; only its module file knows Nest.',
    from: { path: CORE, pathNot: '\\.module\\.ts$' },
    to: { path: '(^|/)@nestjs/' },
  },
  row('channels-row', CHANNELS, [CORE, PROTOCOL], 'channels imports core and protocol.'),
  row(
    'backplanes-row',
    '^src/backplanes/',
    [CORE_PORTS, PROTOCOL],
    'A backplane sees the ports and errors of core, and protocol.',
  ),
  apart('backplanes-apart', 'src/backplanes', 'Backplanes never import each other.'),
  row('auth-row', AUTH, [CORE_PORTS, PROTOCOL], 'auth sees the ports and errors of core, and protocol.'),
  row(
    'limits-row',
    LIMITS,
    [CORE_PORTS, PROTOCOL],
    'limits sees the ports and errors of core, and protocol.',
  ),
  row(
    'transports-row',
    '^src/transports/',
    [CORE, PROTOCOL, AUTH, LIMITS],
    'A transport imports core, protocol, auth and limits; never a backplane.',
  ),
  apart('transports-apart', 'src/transports', 'Transports never import each other.'),
  row(
    'api-row',
    '^src/api/',
    [CORE_FACADE, AUTH, LIMITS, PROTOCOL],
    'api imports the facade of core, auth, limits and protocol.',
  ),
  row(
    'ops-row',
    '^src/ops/',
    [CORE_PORTS, CORE_FACADE, AUTH],
    'ops imports the ports and facade of core, and auth.',
  ),
  row(
    'console-row',
    '^src/console/',
    [CORE_PORTS, CORE_FACADE, AUTH],
    'console imports the ports and facade of core, and auth.',
  ),
  row(
    'index-row',
    DOOR,
    [CORE, PROTOCOL, CHANNELS, '^src/auth/[^/]*decorators?[./]'],
    'The public door re-exports core, protocol, channels and the decorators of auth.',
  ),
  row(
    'domains-row',
    '^src/domains/',
    [DOOR],
    'A domain is written as another team would write it: it imports src/index.ts only.',
  ),
  apart('domains-apart', 'src/domains', 'Domains never import each other.'),
  row('config-row', '^src/config/', ['\\.options\\.ts$'], "config imports each room's *.options.ts."),
  {
    name: 'client-row',
    severity: 'error',
    comment:
      'The client SDK runs in browsers and in Node: it imports src/protocol only, no npm package, no Node module.',
    from: { path: '^client/src/', pathNot: '^client/src/react/' },
    to: { pathNot: ['^client/src/', PROTOCOL] },
  },
  {
    name: 'client-react-row',
    severity: 'error',
    comment: 'The hooks of the client know React beside it, and no other package.',
    from: { path: '^client/src/react/' },
    to: { pathNot: ['^client/src/', PROTOCOL, '(^|/)node_modules/(@types/)?react/'] },
  },
  row('web-row', '^web/', ['^client/(src/index\\.ts$|dist/)'], 'The pages use the client by its door.'),
  row(
    'examples-row',
    '^examples/',
    [DOOR, '^dist/index\\.', START_DOORS, '^client/(src/index\\.ts$|dist/)'],
    'An example shows what another team may import: the public doors of the server, and the client.',
  ),
];

const house = [
  {
    name: 'no-circle',
    severity: 'error',
    comment: 'A circle crashes ESM Nest at load; a circle of types is the first half of one.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'room-without-a-row',
    severity: 'error',
    comment: 'A new folder of src/ needs a row in the table, here and in docs/architecture.md.',
    from: { path: NOT_A_ROOM },
    to: {},
  },
  {
    name: 'import-of-room-without-a-row',
    severity: 'error',
    comment: 'A new folder of src/ needs a row in the table, here and in docs/architecture.md.',
    from: {},
    to: { path: NOT_A_ROOM },
  },
  {
    name: 'one-barrel',
    severity: 'error',
    comment: 'src/index.ts is the only barrel; elsewhere a name is imported from the file that declares it.',
    from: { path: '^src/', pathNot: DOOR },
    to: { path: '^src/', dependencyTypes: ['export'] },
  },
  {
    name: 'no-index-file',
    severity: 'error',
    comment: 'src/index.ts is the only barrel.',
    from: {},
    to: { path: '^src/.+/index\\.ts$' },
  },
  {
    name: 'declared-packages-only',
    severity: 'error',
    comment:
      'What the server imports at run time stands in "dependencies": an install without dev packages must start.',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'resolvable',
    severity: 'error',
    comment: 'An import that leads nowhere would slip past every rule above.',
    from: { path: '^(src|client|test|bench|scripts|examples)/' },
    to: { couldNotResolve: true },
  },
];

module.exports = {
  forbidden: [...table, ...house],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    skipAnalysisNotInRules: true,
  },
};
