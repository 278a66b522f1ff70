import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isOnServer } from '../models/drives';
import { KernelLives, type Loss } from '../models/lives';
import { passedOver, passOver } from '../models/windows';
import { IRewindClient, type Resumable, type Snapshot } from '../tokens';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- it is small
import { tellMoved } from '../widgets/stateactions';
import { tell, tellFailure, tellKernelWaited } from '../widgets/telling';
import { whyOf } from '../widgets/why';

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

    const kernelOf = (panel: NotebookPanel): string => {
      const kernel = panel.sessionContext.session?.kernel;
      if (!kernel) {
        throw new Error(trans.__('This notebook has no kernel now.'));
      }
      return kernel.id;
    };

    const told = async (failed: string, act: () => Promise<unknown>) => {
      try {
        await act();
      } catch (reason) {
        tellFailure(`${failed} ${whyOf(reason, trans)}`, trans);
      }
    };

    const resume = (panel: NotebookPanel) =>
      told(trans.__('The variables were not brought back.'), async () => {
        const asked = client.resume(kernelOf(panel));
        const moved = await tellKernelWaited(asked, trans);
        // What was made since the kernel began anew gave way.
        const undo = () => client.restoreState(kernelOf(panel), moved.kept.id);
        tellMoved(moved, undo, told, trans);
      });

    /** The offer that stands for a notebook; a later one takes its place. */
    const offers = new WeakMap<NotebookPanel, string>();

    /** The state that was offered last of a notebook. */
    const offered = new WeakMap<NotebookPanel, string>();

    /** What can be offered of a notebook; without an answer nothing: kernels tell of it, too. */
    async function ask(
      panel: NotebookPanel,
      kernel?: string
    ): Promise<Resumable | null> {
      const { path } = panel.context;
      const found = isOnServer(contents, path)
        ? await client
            .resumable(contents.localPath(path), kernel)
            .catch(() => null)
        : null;
      return panel.isDisposed || found?.wanted === 'never' ? null : found;
    }

    /** What nobody saw: it died while no page heard of it. */
    async function lookBack(panel: NotebookPanel): Promise<void> {
      const kernel = panel.sessionContext.session?.kernel?.id;
      const found = kernel ? await ask(panel, kernel) : null;
      const snapshot = found?.lost && found.wanted === 'ask' && found.snapshot;
      if (
        snapshot &&
        offered.get(panel) !== snapshot.id &&
        !passedOver().includes(snapshot.id)
      ) {
        tellOffer(panel, 'died', snapshot);
      }
    }

    async function offer(panel: NotebookPanel, loss: Loss): Promise<void> {
      const found = await ask(panel);
      if (found?.snapshot) {
        tellOffer(panel, loss, found.snapshot);
      }
    }

    function tellOffer(
      panel: NotebookPanel,
      loss: Loss,
      snapshot: Snapshot
    ): void {
      const path = contents.localPath(panel.context.path);
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
              caption: trans.__(
                'Bring its variables back, running no cell; Undo takes that back'
              ),
              displayType: 'accent',
              callback: () => void resume(panel)
            },
            {
              label: trans.__('Not now'),
              callback: () => passOver(snapshot.id)
            }
          ]
        },
        trans
      );
      offers.set(panel, id);
      offered.set(panel, snapshot.id);
    }

    notebooks.widgetAdded.connect((_, panel) => {
      const lives = new KernelLives(panel.sessionContext);
      lives.emptied.connect((__, loss) => void offer(panel, loss));
      lives.heard.connect(() => void lookBack(panel));
      panel.disposed.connect(() => lives.dispose());
    });
  }
};

export default plugin;
