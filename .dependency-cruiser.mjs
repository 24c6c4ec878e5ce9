// Which way imports may run: service → libs/service → libs/bus → libs/contracts, and never back.

const SERVICES = '^(gateway|[a-z]+-service)/'; // its first group names the service in the rules below
const TESTS = '[.]test[.]ts$|/test/|^e2e/|^bench/';

/** A library may import itself, the libraries named, and what is not ours; tests may import anything. */
function layer(folder, ...allowed) {
  const open = [folder, ...allowed].join('|');
  return {
    name: `layer-of-${folder.replace('/', '-')}`,
    comment: `${folder} imports nothing of ours but ${allowed.join(', ') || 'itself'}.`,
    severity: 'error',
    from: { path: `^${folder}/`, pathNot: TESTS },
    to: { path: `^(libs/|scripts/|gateway/|[a-z]+-service/)`, pathNot: `^(${open})/` },
  };
}

export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'A circle has no first file to read and no order to load in.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    layer('libs/contracts'),
    layer('libs/bus', 'libs/contracts'),
    layer('libs/service', 'libs/bus', 'libs/contracts'),
    layer('libs/client', 'libs/contracts'),
    layer('libs/local-stack', 'libs/service', 'libs/bus', 'libs/contracts'),
    {
      name: 'no-service-to-service',
      comment: 'Services are built, deployed and rolled back alone: they talk over the bus, never by import.',
      severity: 'error',
      from: { path: SERVICES, pathNot: TESTS },
      to: { path: `${SERVICES}|^libs/(local-stack|client)/|^scripts/`, pathNot: '^$1/' },
    },
    {
      name: 'nats-in-bus-only',
      comment: 'libs/bus is the only code that knows NATS.',
      severity: 'error',
      from: { pathNot: [TESTS, '^libs/bus/'] },
      to: { path: '^(node_modules/)?@nats-io/' },
    },
    {
      name: 'declared-dependencies-only',
      comment: 'A package uses what its own package.json declares; anything else is there by chance.',
      severity: 'error',
      from: { path: [SERVICES, '^libs/'], pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be found.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-tests-in-code',
      comment: 'What runs in production does not import tests.',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: TESTS },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules/.*/node_modules|coverage|[.]local)/|[.]d[.]m?ts$' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'types', 'default'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
