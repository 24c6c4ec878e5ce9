export default {
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '[.]ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2024',
          transform: { verbatimModuleSyntax: true },
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  testPathIgnorePatterns: ['/node_modules/', '/[.]local/'],
  modulePathIgnorePatterns: ['<rootDir>/[.]local/'],
  // Tests start real servers: a first start of PostgreSQL alone takes seconds on a small machine.
  testTimeout: 30_000,
  // Each worker may hold a nats-server and a PostgreSQL of its own.
  maxWorkers: 2,
};
