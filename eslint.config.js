import tseslint from 'typescript-eslint';

/**
 * The folder arrows of the design: schemas ← connectors ← services, and no stage knows another.
 * The patterns are regular expressions on purpose: in a `group` pattern a leading `#` starts a comment.
 * @param {string} regex
 * @param {string} message
 */
const forbid = (regex, message) => ({ regex, message });

const stages = ['loader', 'reader', 'stream-processor', 'writer'];

export default tseslint.config(
  { ignores: ['node_modules/', 'data/', 'logs/', 'coverage/', 'test/artefacts/', 'test/bench/results/', '**/*.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // A cell or a byte at an index that the loop has just bounded is not a maybe.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['schemas/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [forbid('^#(connectors|services|test)/', 'schemas/ imports nothing of ours.')] },
      ],
    },
  },
  {
    files: ['connectors/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            forbid('^#(services|test)/', 'connectors/ import schemas/ only; what they need comes with the context.'),
          ],
        },
      ],
    },
  },
  {
    files: ['services/kernel/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            forbid('^#(connectors|test)/', 'The kernel knows no word of the domain.'),
            forbid('^#services/(?!kernel/)', 'The kernel is what the services stand on.'),
          ],
        },
      ],
    },
  },
  ...stages.map((stage) => ({
    files: [`services/${stage}/**`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            forbid('^#test/', 'Products do not import tests.'),
            forbid(`^#services/(?!kernel/|${stage}/)`, 'A stage never imports another stage.'),
          ],
        },
      ],
    },
  })),
  // Browsers get its code: of the server's it may know the types. What leaves its folder depends on how deep a file is in it.
  ...['*.{ts,tsx}', '*/*.{ts,tsx}', '*/*/*.{ts,tsx}'].map((files, depth) => ({
    files: [`services/gateway/dashboard/${files}`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              ...forbid('^#schemas/', 'The dashboard imports types of #schemas (import type), no code.'),
              allowTypeImports: true,
            },
            forbid(`^(#(?!schemas/)|node:|(\\.\\./){${depth + 1}})`, 'The dashboard imports its own files only.'),
          ],
        },
      ],
    },
  })),
  {
    files: ['test/**', 'services/cli/**', 'infra/**'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
);
