import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import client from './plugins/client';
import history from './plugins/history';
import kernels from './plugins/kernels';
import naming from './plugins/naming';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  client,
  history,
  kernels,
  naming
];

export default plugins;
