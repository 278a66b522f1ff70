import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'src/api.ts',
      'lib',
      'node_modules',
      'coverage',
      '.venv*',
      'docs',
      'jupyter_rewind',
      'benchmarks',
      'tests',
      '*.js',
      '*.mjs'
    ]
  },
  { plugins: { jupyter } },
  ...tseslint.configs.recommended,
  jupyter.configs.recommended,
  {
    files: ['src/**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ],
      curly: 'error',
      eqeqeq: 'error'
    }
  }
);
