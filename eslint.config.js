import { createProjectGraphAsync } from '@nx/devkit';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/*
 * The rules that hold ARCHITECTURE.md's arrows and invariants 6 and 7. Each has a case in
 * test/boundaries/, which runs ESLint on a file that breaks it.
 */

// The boundary rule reads Nx's project graph from its cache and says nothing when there is none: make it first.
process.env.NX_DAEMON = 'false';
await createProjectGraphAsync({ exitOnError: true });

const noEnum = {
  selector: 'TSEnumDeclaration',
  message: 'No enum: a union of string literals says the same and is erased.',
};
const noEnvironment = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'Only the config package reads the environment (ARCHITECTURE.md, invariant 7).',
};
const noClock = [
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'Protocol and domain code is given a Clock (invariant 6).',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Protocol and domain code is given a Clock (invariant 6).',
  },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Randomness comes from node:crypto or is given (invariant 6).',
  },
];

const redisOnly = {
  group: ['ioredis', 'ioredis/*'],
  message: 'Only store-redis talks to Redis (invariant 7).',
};
const drachtioOnly = {
  group: ['drachtio-srf', 'drachtio-srf/*'],
  message: 'Only sip-drachtio imports drachtio-srf (invariant 7).',
};
const telemetryOnly = {
  group: ['@opentelemetry/*', 'pino', 'prom-client'],
  message: 'Only telemetry imports the telemetry libraries (invariant 7).',
};
const builtinsButCrypto = {
  regex:
    '^(node:(?!crypto$).*|net|dgram|tls|http|https|fs|os|dns|child_process|process|timers|worker_threads)$',
  message: 'Protocol and domain code names no socket, file, process or clock (invariant 6).',
};
const frameworks = { group: ['fastify', '@fastify/*'], message: 'Protocol and domain code knows no server.' };
const adapters = {
  regex: '^@rollcall/(store-redis|sip-net|sip-drachtio|telemetry|config)$',
  message:
    "Adapters meet only in a service's compose.ts, main.ts and config.ts; elsewhere import their types.",
  allowTypeImports: true,
};

const imports = (...patterns) => ['error', { patterns }];
const syntax = (...selectors) => ['error', noEnum, ...selectors];
const innerGlobals = [
  'process',
  'console',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  'fetch',
].map((name) => ({
  name,
  message: 'Protocol and domain code names no clock, process or logger (invariant 6).',
}));

const CORE = ['kernel', 'sip', 'sip-transaction', 'digest', 'location', 'registration', 'events', 'trace'];
const core = CORE.map((name) => `libs/${name}/src/**/*.ts`);

const layers = [
  ['layer:kernel', ['layer:kernel']],
  ['layer:protocol', ['layer:kernel', 'layer:protocol']],
  ['layer:domain', ['layer:kernel', 'layer:protocol', 'layer:domain']],
  ['layer:adapter', ['layer:kernel', 'layer:protocol', 'layer:domain']],
  ['layer:service', ['layer:kernel', 'layer:protocol', 'layer:domain', 'layer:adapter']],
  ['layer:deploy', ['layer:kernel', 'layer:protocol', 'layer:domain', 'layer:adapter']],
  [
    'layer:testkit',
    ['layer:kernel', 'layer:protocol', 'layer:domain', 'layer:adapter', 'layer:deploy', 'layer:testkit'],
  ],
];
const boundaries = (more = []) => [
  'error',
  {
    enforceBuildableLibDependency: false,
    checkDynamicDependenciesExceptions: ['.*'],
    allow: ['^\\.{1,2}/'],
    depConstraints: layers.map(([sourceTag, allowed]) => ({
      sourceTag,
      onlyDependOnLibsWithTags: [...allowed, ...more],
    })),
  },
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      '.nx/**',
      '.cache/**',
      '.bench/**',
      '.rollcall/**',
      'coverage/**',
      'test/boundaries/fixtures/**',
    ],
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': boundaries(),
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-restricted-exports': [
        'error',
        { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } },
      ],
      'no-restricted-syntax': syntax(),
      eqeqeq: 'error',
    },
  },
  {
    files: ['libs/*/src/**/*.ts', 'services/*/src/**/*.ts'],
    rules: {
      'no-restricted-syntax': syntax(noEnvironment),
      '@typescript-eslint/no-restricted-imports': imports(redisOnly, telemetryOnly, drachtioOnly),
    },
  },
  {
    files: core,
    rules: {
      'no-restricted-syntax': syntax(noEnvironment, ...noClock),
      'no-restricted-globals': ['error', ...innerGlobals],
      '@typescript-eslint/no-restricted-imports': imports(
        redisOnly,
        telemetryOnly,
        drachtioOnly,
        builtinsButCrypto,
        frameworks,
      ),
    },
  },
  {
    files: ['libs/store-redis/src/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': imports(telemetryOnly, drachtioOnly) },
  },
  {
    files: ['libs/sip-drachtio/src/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': imports(redisOnly, telemetryOnly) },
  },
  {
    files: ['libs/telemetry/src/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': imports(redisOnly, drachtioOnly) },
  },
  {
    files: ['libs/config/src/**/*.ts', 'libs/testkit/src/**/*.ts', 'libs/test-redis/src/**/*.ts'],
    rules: { 'no-restricted-syntax': syntax() },
  },
  {
    files: ['services/*/src/**/*.ts'],
    ignores: ['services/*/src/{main,compose,config,*-config}.ts', 'services/*/src/*/main.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': imports(redisOnly, telemetryOnly, drachtioOnly, adapters),
    },
  },
  {
    // Tests may stand up what they test with the neighbours it has in life.
    files: ['libs/*/test/**/*.ts', 'services/*/test/**/*.ts', 'deploy/*/test/**/*.ts', 'test/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(['layer:adapter', 'layer:domain', 'layer:testkit']),
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // The web UI: a browser's program with a project of its own.
    files: ['services/admin/ui/**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './services/admin/ui/tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@nx': nx },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      'no-restricted-syntax': syntax(),
      eqeqeq: 'error',
    },
  },
  {
    files: ['*.config.ts', '*.config.js', 'services/admin/ui/vite.config.ts'],
    rules: { 'no-restricted-exports': 'off' },
  },
);
