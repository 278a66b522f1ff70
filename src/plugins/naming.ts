import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, InputDialog } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isOnServer } from '../models/drives';
import { timeOf } from '../models/named';
import { IRewindClient } from '../tokens';
import { tellFailure, tellNamed } from '../widgets/telling';
import { whyOf } from '../widgets/why';

const COMMAND = 'jupyter-rewind:name-checkpoint';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:naming',
  description:
    'Saves the document and gives the checkpoint a name that keeps it for ever.',
  autoStart: true,
  requires: [IRewindClient, IDocumentManager],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    documents: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;
    const context = () => {
      const widget = app.shell.currentWidget;
      const found = widget ? documents.contextForWidget(widget) : undefined;
      return found && isOnServer(contents, found.path) ? found : undefined;
    };
    app.commands.addCommand(COMMAND, {
      label: trans.__('Save and Name Checkpoint…'),
      caption: trans.__(
        'Save the document, and name this state so that it never expires'
      ),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => context() !== undefined,
      execute: async () => {
        const saved = context();
        if (!saved) {
          return;
        }
        const answer = await InputDialog.getText({
          title: trans.__('Save and name this checkpoint'),
          label: trans.__('Name'),
          okLabel: trans.__('Save')
        });
        const label = answer.value?.trim();
        if (!answer.button.accept) {
          return;
        }
        try {
          await saved.save();
          if (label) {
            const { localPath } = saved;
            const named = await client.createCheckpoint(localPath, label);
            const before = await timeOf(client, localPath, named.moved_from);
            tellNamed(label, before, trans);
          }
        } catch (reason) {
          const why = whyOf(reason, trans);
          tellFailure(trans.__('The checkpoint was not named: %1', why), trans);
        }
      }
    });
    palette?.addItem({
      command: COMMAND,
      category: trans.__('File Operations')
    });
  }
};

export default plugin;
