import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  MainAreaWidget,
  showDialog
} from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { undoIcon } from '@jupyterlab/ui-components';

import { isOnServer, serverPath } from '../models/drives';
import { RecoveryModel } from '../models/recovery';
import { IRewindClient } from '../tokens';
import { tell, tellFailure } from '../widgets/telling';
import { whyOf } from '../widgets/why';

const RECOVER = 'jupyter-rewind:recover';
const ITEM = 'jp-DirListing-item';

/** Where the command was chosen, which says what it looks for. */
interface IArguments {
  /** A notebook or a folder. */
  path?: string;
  /** The launcher's folder. */
  cwd?: string;
  /** Chosen in the file browser's context menu. */
  fromBrowser?: boolean;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:recovery',
  description:
    'Shows what can be brought back of lost, deleted or broken notebooks, and brings it back.',
  autoStart: true,
  requires: [IRewindClient],
  optional: [
    ITranslator,
    ICommandPalette,
    ILabShell,
    ILauncher,
    IFileBrowserFactory
  ],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null,
    launcher: ILauncher | null,
    browsers: IFileBrowserFactory | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');

    const { contents } = app.serviceManager;

    const local = (path: string) => serverPath(contents, path);

    /** The folder of the server that the file browser shows. */
    function folder(): string {
      return local(browsers?.tracker.currentWidget?.model.path ?? '');
    }

    /** The notebook that the context menu was opened on, else the folder it is in. */
    function chosen(): string {
      const browser = browsers?.tracker.currentWidget;
      const item = browser?.selectedItems().next().value;
      const isOnItem = app.contextMenuHitTest(node =>
        node.classList.contains(ITEM)
      );
      if (
        item &&
        isOnItem &&
        isOnServer(contents, item.path) &&
        (item.type === 'directory' || item.path.endsWith('.ipynb'))
      ) {
        return contents.localPath(item.path);
      }
      return folder();
    }

    const told = async (failed: string, act: () => Promise<unknown>) => {
      try {
        await act();
      } catch (reason) {
        tellFailure(`${failed} ${whyOf(reason, trans)}`, trans);
      }
    };

    async function show(path: string): Promise<void> {
      const { RecoveryWidget } = await import('../widgets/recovery');
      const model = new RecoveryModel(client);
      const finished = (file: string) => {
        Dialog.flush();
        // What was brought back is not lost any more.
        void model.look(path);
        return app.commands.execute('docmanager:open', { path: file });
      };
      const content = new RecoveryWidget({
        model,
        trans,
        actions: {
          write: file =>
            void told(trans.__('Nothing was written.'), async () => {
              const made = await client.recover(file);
              tell(
                'success',
                trans.__('Written as %1. Nothing else was changed.', made),
                { autoClose: 15000 },
                trans
              );
              await finished(made);
            }),
          // Several deleted files may have had one name.
          undelete: ({ history }) =>
            void told(trans.__('Nothing was brought back.'), async () => {
              const { path: file } = await client.undelete(history);
              tell(
                'success',
                trans.__('There again, with its history: %1', file),
                { autoClose: 15000 },
                trans
              );
              await finished(file);
            })
        }
      });
      void model.look(path);
      const title = path
        ? trans.__('Recover: %1', path.split('/').pop() ?? path)
        : trans.__('Recover');
      if (!labShell) {
        // A page of Notebook 7 has room for one document only.
        content.addClass('jp-Rewind-dialog');
        await showDialog({
          title,
          body: content,
          buttons: [Dialog.okButton({ label: trans.__('Close') })]
        });
        return;
      }
      const widget = new MainAreaWidget({ content });
      widget.title.label = title;
      widget.title.icon = undoIcon;
      widget.title.closable = true;
      app.shell.add(widget, 'main');
      app.shell.activateById(widget.id);
    }

    app.commands.addCommand(RECOVER, {
      label: args =>
        args.cwd === undefined
          ? trans.__('Recover…')
          : trans.__('Recover Notebooks'),
      caption: trans.__(
        'Show what can be brought back of lost, deleted or broken notebooks'
      ),
      icon: undoIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            path: {
              type: 'string',
              description: trans.__('A notebook or a folder')
            },
            cwd: {
              type: 'string',
              description: trans.__('The folder of the launcher')
            },
            fromBrowser: {
              type: 'boolean',
              description: trans.__('Chosen in the file browser')
            }
          }
        }
      },
      execute: args => {
        const { path, cwd, fromBrowser } = args as IArguments;
        const asked = path ?? cwd;
        return show(
          asked === undefined
            ? fromBrowser
              ? chosen()
              : folder()
            : local(asked)
        );
      }
    });
    palette?.addItem({
      command: RECOVER,
      category: trans.__('File Operations')
    });
    launcher?.add({
      command: RECOVER,
      category: trans.__('Other'),
      rank: 90
    });
  }
};

export default plugin;
