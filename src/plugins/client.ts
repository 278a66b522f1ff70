import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { RewindClient } from '../requests';
import { IRewindClient } from '../tokens';

const plugin: JupyterFrontEndPlugin<IRewindClient> = {
  id: 'jupyter-rewind:client',
  description:
    'Talks to the server about histories, states of kernels and recovery.',
  autoStart: true,
  provides: IRewindClient,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    return new RewindClient(
      app.serviceManager.serverSettings,
      trans.__('The server does not answer.'),
      trans.__(
        'Something else answers in the place of the server. Where you are signed out, sign in again in another tab.'
      )
    );
  }
};

export default plugin;
