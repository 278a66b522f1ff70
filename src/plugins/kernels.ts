import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { KernelLives, type Loss } from '../models/lives';
import { IRewindClient } from '../tokens';
import { tell, tellFailure } from '../widgets/telling';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:kernels',
  description: 'Offers the last state of a kernel that died or was restarted.',
  autoStart: true,
  requires: [IRewindClient, INotebookTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    notebooks: INotebookTracker,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;

    async function resume(panel: NotebookPanel): Promise<void> {
      const kernel = panel.sessionContext.session?.kernel;
      if (!kernel) {
        tellFailure(trans.__('This notebook has no kernel now.'), trans);
        return;
      }
      try {
        const { words } = await client.resume(kernel.id);
        const [first, ...more] = words.split('\n');
        const details: Notification.IAction = {
          label: trans.__('Details'),
          callback: () =>
            void showDialog({
              title: trans.__('What came back'),
              body: words,
              buttons: [Dialog.okButton({ label: trans.__('Close') })]
            })
        };
        tell(
          'success',
          first,
          { autoClose: 15000, actions: more.length ? [details] : [] },
          trans
        );
      } catch (reason) {
        const why = reason instanceof Error ? reason.message : String(reason);
        tellFailure(
          trans.__('The variables were not brought back. %1', why),
          trans
        );
      }
    }

    /** The offer that stands for a notebook; a later one takes its place. */
    const offers = new WeakMap<NotebookPanel, string>();

    async function offer(panel: NotebookPanel, loss: Loss): Promise<void> {
      const path = contents.localPath(panel.context.path);
      // Without an answer there is nothing to offer: the kernel itself tells of its last state, too.
      const snapshot = await client.resumable(path).catch(() => null);
      if (!snapshot || panel.isDisposed) {
        return;
      }
      const name = path.split('/').pop() ?? path;
      const what =
        loss === 'died'
          ? trans.__('The kernel of %1 died.', name)
          : trans.__('The kernel of %1 was restarted.', name);
      // What a kernel took over, or had before a move, it had after none of its cells.
      const kept = snapshot.count
        ? trans.__(
            'Its state after cell [%1] was kept.',
            String(snapshot.count)
          )
        : trans.__('Its last state was kept.');
      const words = `${what} ${kept}`;
      const earlier = offers.get(panel);
      if (earlier) {
        Notification.dismiss(earlier);
      }
      const id = tell(
        loss === 'died' ? 'warning' : 'info',
        words,
        {
          autoClose: loss === 'died' ? false : 15000,
          actions: [
            {
              label: trans.__('Restore'),
              caption: trans.__('Bring its variables back, running no cell'),
              displayType: 'accent',
              callback: () => void resume(panel)
            },
            { label: trans.__('Not now'), callback: () => undefined }
          ]
        },
        trans
      );
      offers.set(panel, id);
    }

    notebooks.widgetAdded.connect((_, panel) => {
      const lives = new KernelLives(panel.sessionContext);
      lives.emptied.connect((__, loss) => void offer(panel, loss));
      panel.disposed.connect(() => lives.dispose());
    });
  }
};

export default plugin;
