import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// eslint-disable-next-line jupyter/prefer-lazy-imports -- the status bar needs it at once
import { isUnreachable, type Saving } from '../models/saving';
import { IDrafts, IReach, ISaves } from '../tokens';
import { downloadText } from '../widgets/download';
import {
  explanation,
  StandingWidget,
  standingWords
} from '../widgets/standing';

type Context = DocumentRegistry.Context;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:standing',
  description: 'Says in the status bar whether the document is saved.',
  autoStart: true,
  requires: [IReach, IDocumentManager, ISaves],
  optional: [ITranslator, IStatusBar, ILabShell, IDrafts],
  activate: (
    app: JupyterFrontEnd,
    reach: IReach,
    documents: IDocumentManager,
    saves: ISaves,
    translator: ITranslator | null,
    statusBar: IStatusBar | null,
    labShell: ILabShell | null,
    drafts: IDrafts | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    let current: Saving | null = null;
    /** What JupyterLab has asked since a save began, which waits for the answer. */
    const questions = new Set<unknown>();

    const item = new StandingWidget(trans, () => void explain());
    const show = () => {
      const widget = app.shell.currentWidget;
      const context = widget ? documents.contextForWidget(widget) : undefined;
      // Before it is loaded there is nothing to say of it, though JupyterLab calls it changed.
      item.condition =
        context?.isReady && current
          ? {
              saving: current,
              isAway: reach.isAway,
              isAsked: questions.size > 0,
              isAutosaved: context.model.collaborative
                ? documents.autosave
                : saves.intervals.secondsOf(context as Context) > 0,
              draft: drafts?.placeOf(context.path) ?? null
            }
          : null;
    };
    const onChanged = () => {
      if (current?.standing !== 'saving') {
        questions.clear();
      }
      const failure = current?.failure;
      if (failure && isUnreachable(failure)) {
        reach.noteAbsence();
      }
      show();
    };
    const follow = () => {
      const widget = app.shell.currentWidget;
      current?.changed.disconnect(onChanged);
      current = widget ? saves.savingOf(widget) : null;
      current?.changed.connect(onChanged);
      show();
      const context = widget ? documents.contextForWidget(widget) : undefined;
      if (context && !context.isReady) {
        void context.ready.then(show, () => undefined);
      }
    };

    async function explain(): Promise<void> {
      const widget = app.shell.currentWidget;
      const context = widget ? documents.contextForWidget(widget) : undefined;
      const { condition } = item;
      if (!context || !condition) {
        return;
      }
      const words = standingWords(condition, trans);
      const download = Dialog.createButton({
        label: trans.__('Download a Copy'),
        actions: ['download']
      });
      const { standing } = condition.saving;
      const isElsewhere = standing === 'changed' || standing === 'gone';
      const save = Dialog.okButton({
        label:
          words.isBad && !isElsewhere
            ? trans.__('Try Again')
            : trans.__('Save'),
        actions: ['save']
      });
      const reload = Dialog.warnButton({
        label: trans.__('Reload'),
        actions: ['reload']
      });
      const isWritable =
        standing === 'live'
          ? !condition.isAutosaved && condition.saving.isChanged
          : standing !== 'read-only';
      const { button } = await showDialog({
        title: context.path.split('/').pop() ?? '',
        body: explanation(item, trans),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Close') }),
          ...(words.isBad ? [download] : []),
          ...(standing === 'changed' ? [reload] : []),
          ...(isWritable ? [save] : [])
        ]
      });
      if (button.actions.includes('download')) {
        // What stands in the tab, which is more than what is in the file.
        const name = context.path.split('/').pop() ?? 'copy';
        downloadText(context.model.toString(), name);
      } else if (button.actions.includes('reload')) {
        await context.revert().catch(() => undefined);
      } else if (button.actions.includes('save')) {
        // Its failure is told by JupyterLab's dialog and by this item.
        await context.save().catch(() => undefined);
      }
    }

    if (statusBar) {
      statusBar.registerStatusItem('jupyter-rewind:standing', {
        item,
        align: 'left',
        rank: 100,
        isActive: () => item.condition !== null,
        activeStateChanged: item.changed
      });
    } else {
      item.id = 'jupyter-rewind-standing';
      app.shell.add(item, 'menu', { rank: 500 });
    }

    reach.changed.connect((_, isAway) => {
      show();
      if (!isAway) {
        saves.saveAll();
        drafts?.flush();
      }
    });
    reach.missed.connect(() => saves.lookAll());
    Dialog.tracker.widgetAdded.connect((_, dialog) => {
      if (current?.standing !== 'saving') {
        return;
      }
      questions.add(dialog);
      show();
      dialog.disposed.connect(() => {
        questions.delete(dialog);
        show();
      });
    });
    drafts?.changed.connect(show);
    // Autosave may be turned on or off.
    documents.stateChanged.connect(show);
    (labShell ?? app.shell).currentChanged?.connect(follow);
    void app.restored.then(follow);
  }
};

export default plugin;
