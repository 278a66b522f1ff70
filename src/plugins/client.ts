import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { RewindClient } from '../requests';
import { IRewindClient } from '../tokens';

const plugin: JupyterFrontEndPlugin<IRewindClient> = {
  id: 'jupyter-rewind:client',
  description:
    'Talks to the server about histories, states of kernels and recovery.',
  autoStart: true,
  provides: IRewindClient,
  activate: (app: JupyterFrontEnd) =>
    new RewindClient(app.serviceManager.serverSettings)
};

export default plugin;
