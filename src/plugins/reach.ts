import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { Reach } from '../models/reach';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- it hears from the start on
import { isUnreachable } from '../models/saving';
import { IReach, IRewindClient } from '../tokens';

const plugin: JupyterFrontEndPlugin<IReach> = {
  id: 'jupyter-rewind:reach',
  description: 'Knows whether the server can be reached.',
  autoStart: true,
  provides: IReach,
  requires: [IRewindClient],
  activate: (app: JupyterFrontEnd, client: IRewindClient): IReach => {
    const reach = new Reach(() => client.reach());
    app.serviceManager.connectionFailure.connect((_, reason) => {
      if (isUnreachable(reason)) {
        reach.noteAbsence();
      }
    });
    window.addEventListener('offline', () => reach.noteAbsence());
    return reach;
  }
};

export default plugin;
