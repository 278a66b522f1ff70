import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import type { Contents } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { IAbout, IListed } from '../widgets/reverting';

const idOf = ({ id }: IListed) => id;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:reverting',
  description: 'Names the checkpoints in the dialogs of Revert to Checkpoint.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;
    let about: IAbout = { listed: [] };

    // There is no other place to hear of which checkpoints a dialog is about.
    const list = contents.listCheckpoints.bind(contents);
    contents.listCheckpoints = async (
      path: string
    ): Promise<Contents.ICheckpointModel[]> => {
      const found = await list(path);
      // JupyterLab turns its own list around: the newest first.
      const listed = ([...found] as IListed[]).reverse();
      // It is asked for after each save, too, and the same means the same.
      if (String(listed.map(idOf)) !== String(about.listed.map(idOf))) {
        about = { listed };
      }
      return found;
    };
    Dialog.tracker.widgetAdded.connect((_, dialog) => {
      const now = about;
      if (now.listed.length) {
        void import('../widgets/reverting').then(({ nameInDialog }) => {
          if (!dialog.isDisposed) {
            nameInDialog(dialog.node, now, trans);
          }
        });
      }
    });
  }
};

export default plugin;
