import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import client from './plugins/client';
import naming from './plugins/naming';

const plugins: JupyterFrontEndPlugin<unknown>[] = [client, naming];

export default plugins;
