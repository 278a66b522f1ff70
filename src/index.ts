import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import client from './plugins/client';
import history from './plugins/history';
import naming from './plugins/naming';

const plugins: JupyterFrontEndPlugin<unknown>[] = [client, history, naming];

export default plugins;
