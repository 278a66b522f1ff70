const base = require('@jupyterlab/testing/lib/jest-config')(__dirname);

// Published as ES modules, which node cannot read as they are.
const modern = [
  '@codemirror',
  '@jupyter',
  '@jupyterlab',
  '@microsoft',
  'exenv-es6',
  'lib0',
  'nanoid',
  'nbdime',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
];

module.exports = {
  ...base,
  roots: ['<rootDir>/src'],
  testRegex: 'src/.*\\.spec\\.tsx?$',
  modulePathIgnorePatterns: ['<rootDir>/\\.venv', '<rootDir>/jupyter_rewind', '<rootDir>/lib'],
  transformIgnorePatterns: [`/node_modules/(?!(${modern.join('|')})/).+`]
};
