import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  InputDialog,
  type MainAreaWidget,
  type Notification,
  showDialog
} from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';

import { Choices } from '../models/choices';
import { isOnServer } from '../models/drives';
import { FileFollower } from '../models/filefollower';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- the sidebar shows it from the start
import { HistoryModel, type IOpenDocument } from '../models/history';
import { timeOf } from '../models/named';
import { openDocument } from '../models/opendocument';
import { pageOf, Pages } from '../models/pages';
import { RanFollower } from '../models/ranfollower';
import {
  type Checkpoint,
  IReach,
  type IRestored,
  type IRestoreOptions,
  IRewindClient
} from '../tokens';
import { addAnew } from '../widgets/tabs';
import {
  tell,
  tellFailure,
  tellKernelWaited,
  tellNamed
} from '../widgets/telling';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- it stands in the sidebar from the start
import { HistoryWidget } from '../widgets/history';
import type { IHistoryActions } from '../widgets/historyentries';
import { momentWords } from '../widgets/historywords';
import { failureWords, remarks } from '../widgets/restored';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- what the sidebar can do from the start
import { movedWidget, stateActions } from '../widgets/stateactions';

const ID = 'jupyter-rewind:history';
const OPEN = 'jupyter-rewind:open-history';
const EVENTS = 'https://schema.jupyter.org/jupyter_rewind/checkpoint/v1';
const KERNEL_EVENTS = 'https://schema.jupyter.org/jupyter_rewind/kernel/v1';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Shows the history of the open document in the right sidebar.',
  autoStart: true,
  requires: [
    IRewindClient,
    IDocumentManager,
    IRenderMimeRegistry,
    IEditorServices
  ],
  optional: [
    ITranslator,
    ICommandPalette,
    ILabShell,
    ILayoutRestorer,
    ISettingRegistry,
    IReach
  ],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    documents: IDocumentManager,
    rendermime: IRenderMimeRegistry,
    editors: IEditorServices,
    translation: ITranslator | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    reach: IReach | null
  ): void => {
    const translator = translation ?? nullTranslator;
    const trans = translator.load('jupyter_rewind');
    const choices = new Choices(registry?.load(ID));
    const model = new HistoryModel(client, choices);

    const kernelOf = (document: IOpenDocument | null): string => {
      const found = document?.kernel;
      if (!found) {
        throw new Error(trans.__('This notebook has no kernel now.'));
      }
      return found;
    };

    const told = async (failed: string, act: () => Promise<unknown>) => {
      try {
        await act();
      } catch (reason) {
        tellFailure(failureWords(failed, reason, trans), trans);
      }
    };

    const restore = (
      ref: string,
      words: string,
      options: IRestoreOptions = {},
      document = model.document
    ) =>
      told(trans.__('Nothing was restored.'), async () => {
        const asked = model.restore(ref, options, document);
        const done = await (options.state
          ? tellKernelWaited(asked, trans)
          : asked);
        tellRestored(
          document,
          [words, ...remarks(done, trans)].join(' '),
          done
        );
      });

    /** Undo is about this document, whichever the user looks at by then. */
    function tellRestored(
      document: IOpenDocument | null,
      words: string,
      { kept, state }: Pick<IRestored, 'kept' | 'state'>
    ): void {
      const actions: Notification.IAction[] = [];
      if (kept || state) {
        actions.push({
          label: trans.__('Undo'),
          caption: trans.__('Bring back what was there before'),
          callback: () => void undo()
        });
      }
      if (state) {
        actions.push({
          label: trans.__('Details'),
          callback: () =>
            void showDialog({
              title: trans.__('What came back of the variables'),
              body: movedWidget(state.words),
              buttons: [Dialog.okButton({ label: trans.__('Close') })]
            })
        });
      }
      tell('success', words, { actions, autoClose: 15000 }, trans);

      async function undo(): Promise<void> {
        const nothing = trans.__('Nothing was undone.');
        await told(nothing, async () => {
          const moved = state
            ? await client.restoreState(kernelOf(document), state.kept.id)
            : null;
          const half = trans.__(
            'The variables are as they were before, the file is not.'
          );
          await told(moved ? half : nothing, async () => {
            const file = kept
              ? await model.restore(kept.id, {}, document)
              : null;
            tellRestored(document, trans.__('The restore is undone.'), {
              kept: file?.kept ?? null,
              state: moved
            });
          });
        });
      }
    }

    const actions: IHistoryActions = {
      restore: checkpoint =>
        void restore(
          checkpoint.id,
          trans.__(
            'Restored the state of %1. What was there before is kept.',
            momentWords(Date.parse(checkpoint.time))
          )
        ),
      restoreBoth: checkpoint =>
        void restore(
          checkpoint.id,
          trans.__(
            'Restored the notebook and its variables of %1. What was there before is kept.',
            momentWords(Date.parse(checkpoint.time))
          ),
          { state: true }
        ),
      search: () =>
        void told(trans.__('Nothing could be searched.'), () => model.search()),
      compare: checkpoint =>
        void told(trans.__('Nothing could be compared.'), () =>
          compare(checkpoint)
        ),
      name: checkpoint =>
        void told(trans.__('The checkpoint was not named.'), async () => {
          const answer = await InputDialog.getText({
            title: trans.__('Name this checkpoint'),
            label: trans.__('A named checkpoint never expires.'),
            okLabel: trans.__('Name')
          });
          const label = answer.value?.trim();
          if (answer.button.accept && label) {
            const path = model.document?.path ?? '';
            const before = await model.addLabel(checkpoint.id, label);
            tellNamed(label, await timeOf(client, path, before), trans);
          }
        }),
      unname: (checkpoint, label) =>
        void told(trans.__('The name is still there.'), () =>
          model.removeLabel(checkpoint.id, label)
        ),
      pin: checkpoint =>
        void told(trans.__('Nothing changed.'), () =>
          model.pin(checkpoint.id, !checkpoint.pinned)
        ),
      ...stateActions({
        client,
        model,
        kernelOf,
        show,
        makeRoom: widget => dialogs.get(widget)?.reject(),
        told,
        trans
      })
    };

    /** The dialogs that stand for tabs: a page of Notebook 7 has room for one document only. */
    const dialogs = new WeakMap<MainAreaWidget, Dialog<unknown>>();

    async function show(widget: MainAreaWidget): Promise<void> {
      if (labShell) {
        addAnew(app.shell, widget);
        return;
      }
      widget.addClass('jp-Rewind-dialog');
      const dialog = new Dialog({
        title: widget.title.label,
        body: widget,
        buttons: [Dialog.okButton({ label: trans.__('Close') })]
      });
      dialogs.set(widget, dialog);
      await dialog.launch();
    }

    async function compare(checkpoint: Checkpoint): Promise<void> {
      const open = model.document;
      if (!open) {
        return;
      }
      // Fetched when first needed: nbdime's view is most of this extension's bytes.
      const { checkpointComparison } = await import('../widgets/comparison');
      const { path } = open;
      const failed = trans.__('Nothing could be compared.');
      const widget = await checkpointComparison({
        path,
        checkpoint,
        checkpoints: new Pages(async (limit, before) => {
          const found = await client.history(path, limit, before);
          return pageOf(found.checkpoints, found.count, limit, before);
        }),
        open,
        choices,
        difference: remote => client.difference(path, checkpoint.id, remote),
        differenceToOpen: content =>
          client.differenceToOpen(path, checkpoint.id, content),
        // Of this document, whichever the user has looked at since.
        restoreCell: cell =>
          restore(
            checkpoint.id,
            trans.__(
              'Restored the cell of %1. What was there before is kept.',
              momentWords(Date.parse(checkpoint.time))
            ),
            { cells: [cell] },
            open
          ),
        fail: reason => void told(failed, () => Promise.reject(reason)),
        rendermime,
        editors,
        translator
      });
      widget.id = `jupyter-rewind-comparison-${checkpoint.id}`;
      await show(widget);
    }

    const panel = new HistoryWidget(model, actions, trans);
    panel.id = 'jupyter-rewind-history';
    panel.title.icon = historyIcon;
    panel.title.caption = trans.__('History of this document');
    app.shell.add(panel, 'right', { rank: 900 });
    restorer?.add(panel, 'jupyter-rewind-history');

    let whole = false;
    const refresh = new Debouncer(() => {
      const all = whole;
      whole = false;
      return model.refresh(all);
    }, 300);
    const file = new FileFollower(
      () => void refresh.invoke(),
      () => {
        // The same under another name: it is drawn anew.
        const { document } = model;
        model.document = document;
      }
    );
    const ran = new RanFollower(whole => void model.refreshRan(whole));
    const follow = () => {
      const widget = app.shell.currentWidget;
      const context = widget ? documents.contextForWidget(widget) : undefined;
      if (context || !widget) {
        ran.follow(context?.sessionContext ?? null);
      }
      const { contents } = documents.services;
      const isElsewhere =
        context !== undefined && !isOnServer(contents, context.path);
      if (context && !isElsewhere) {
        file.follow(context);
        model.document = openDocument(context, contents);
      } else if (context || !widget) {
        file.follow(null);
        model.isElsewhere = isElsewhere;
        model.document = null;
      }
    };
    if (labShell) {
      labShell.currentChanged.connect(follow);
    } else {
      app.shell.currentChanged?.connect(follow);
    }
    void app.restored.then(follow);

    reach?.missed.connect(() => {
      whole = true;
      void refresh.invoke();
    });
    app.serviceManager.events.stream.connect((_, event) => {
      if (event.path !== model.document?.path) {
        return;
      }
      if (event.schema_id === EVENTS) {
        // These two may be about checkpoints far back.
        whole ||= event.action === 'expired' || event.action === 'marked';
        void refresh.invoke();
      } else if (event.schema_id === KERNEL_EVENTS) {
        ran.note(event.action === 'deleted');
      }
    });

    app.commands.addCommand(OPEN, {
      label: trans.__('Show History'),
      caption: trans.__('Every kept state of this document'),
      describedBy: { args: { type: 'object', properties: {} } },
      icon: historyIcon,
      execute: () => {
        app.shell.activateById(panel.id);
      }
    });
    palette?.addItem({
      command: OPEN,
      category: trans.__('File Operations')
    });
  }
};

export default plugin;
