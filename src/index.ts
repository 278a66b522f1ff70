import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import autosave from './plugins/autosave';
import client from './plugins/client';
import history from './plugins/history';
import kernels from './plugins/kernels';
import naming from './plugins/naming';
import saving from './plugins/saving';
import standing from './plugins/standing';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  autosave,
  client,
  history,
  kernels,
  naming,
  saving,
  standing
];

export default plugins;
