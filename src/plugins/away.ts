import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// eslint-disable-next-line jupyter/prefer-lazy-imports -- each notebook needs it from its opening on
import { AwayOutputs } from '../models/awayoutputs';
import { isOnServer } from '../models/drives';
import { IAway, IRewindClient } from '../tokens';
import { tell, tellFailure } from '../widgets/telling';
import { whyOf } from '../widgets/why';

const ID = 'jupyter-rewind:away';
const COMMAND = 'jupyter-rewind:bring-outputs';

const plugin: JupyterFrontEndPlugin<IAway> = {
  id: ID,
  description:
    'Puts into a notebook what its cells put out while nobody had it open.',
  autoStart: true,
  provides: IAway,
  requires: [IRewindClient, INotebookTracker, IRenderMimeRegistry],
  optional: [ITranslator, ICommandPalette, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    notebooks: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null
  ): IAway => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;
    const nameOf = (panel: NotebookPanel) =>
      panel.context.path.split('/').pop() ?? '';
    // A second view of the same notebook is the same notebook.
    const known = new WeakMap<NotebookPanel['context'], AwayOutputs>();
    // Without its settings it does what it does by default.
    const settings = registry?.load(ID).catch(() => undefined);

    const waits: Parameters<IAway['waitFor']>[0][] = [];

    const report = (name: string, { placed }: AwayOutputs) => {
      if (placed) {
        tell(
          'info',
          trans._n(
            'A cell of %2 went on while it was closed; its outputs are here now.',
            '%1 cells of %2 went on while it was closed; their outputs are here now.',
            placed,
            name
          ),
          { autoClose: 10000 },
          trans
        );
      }
    };

    const reportLost = (name: string, { lost }: AwayOutputs) => {
      if (lost.length) {
        tell(
          'warning',
          trans._n(
            'Outputs that belong to no cell as it is now are kept: of a cell of %2.',
            'Outputs that belong to no cell as it is now are kept: of %1 cells of %2.',
            lost.length,
            name
          ),
          {
            autoClose: false,
            actions: [{ label: trans.__('Show'), callback: () => void show() }]
          },
          trans
        );
      }
      async function show(): Promise<void> {
        const { lostOutputsWidget } = await import('../widgets/outputs');
        await showDialog({
          title: trans.__('Outputs without a cell'),
          body: lostOutputsWidget(lost, rendermime, trans),
          buttons: [Dialog.okButton({ label: trans.__('Close') })]
        });
      }
    };

    /** Edits that are offered may bring the cells that are missed. */
    const reportLater = async (panel: NotebookPanel, away: AwayOutputs) => {
      const executions = away.lost.map(({ execution }) => execution);
      try {
        await Promise.all(waits.map(settled => settled(panel, executions)));
        // Again: the cells may have come meanwhile.
        await away.bring();
      } catch {
        // Then it is told of what was missed before.
      }
      if (!panel.isDisposed) {
        reportLost(nameOf(panel), away);
      }
    };

    const bring = async (panel: NotebookPanel, isAsked: boolean) => {
      const away = known.get(panel.context);
      const name = nameOf(panel);
      if (!away) {
        return;
      }
      try {
        await away.bring();
      } catch (reason) {
        const status = (reason as { status?: number }).status ?? 500;
        // Whoever may not see what kernels do is not told of it each time, nor while away.
        if (isAsked || status >= 500) {
          const why = whyOf(reason, trans);
          tellFailure(
            trans.__(
              'Outputs could not be fetched: what cells of %1 put out while it was closed. %2',
              name,
              why
            ),
            trans
          );
        }
        return;
      }
      report(name, away);
      if (isAsked) {
        reportLost(name, away);
      } else if (away.lost.length) {
        void reportLater(panel, away);
      }
      if (isAsked && !away.placed && !away.lost.length) {
        tell(
          'info',
          trans.__('All that the cells put out is here: %1', name),
          { autoClose: 5000 },
          trans
        );
      }
    };

    const brought = new WeakMap<NotebookPanel, Promise<number>>();
    notebooks.widgetAdded.connect((_, panel) => {
      const opened = Promise.all([panel.context.ready, settings]);
      const done = opened.then(async ([, chosen]) => {
        const { context } = panel;
        const isHere = isOnServer(contents, context.path);
        if (panel.isDisposed || known.has(context) || !isHere) {
          return 0;
        }
        const away = new AwayOutputs(panel, since =>
          client.outputs(contents.localPath(context.path), since)
        );
        known.set(context, away);
        context.disposed.connect(() => away.dispose());
        if ((chosen?.get('bringBack').composite ?? true) !== false) {
          await bring(panel, false);
        }
        return away.placed;
      });
      brought.set(
        panel,
        done.catch(() => 0)
      );
    });

    app.commands.addCommand(COMMAND, {
      label: trans.__('Bring Back Outputs of Cells That Went On'),
      caption: trans.__('What cells put out while this notebook was closed'),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => notebooks.currentWidget !== null,
      execute: async () => {
        if (notebooks.currentWidget) {
          await bring(notebooks.currentWidget, true);
        }
      }
    });
    palette?.addItem({
      command: COMMAND,
      category: trans.__('Notebook Operations')
    });
    return {
      brought: panel => brought.get(panel) ?? Promise.resolve(0),
      waitFor: settled => void waits.push(settled)
    };
  }
};

export default plugin;
