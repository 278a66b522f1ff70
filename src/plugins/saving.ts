import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type Message, MessageLoop } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import { Intervals } from '../models/autosave';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- each document is followed from its opening on
import { type IFileFacts, Saving } from '../models/saving';
import { ISaves } from '../tokens';

type Context = DocumentRegistry.Context;

const ID = 'jupyter-rewind:saving';

/** Events after which a file may hold something else, or be gone. */
const TOLD = new Map([
  [
    'https://schema.jupyter.org/jupyter_rewind/checkpoint/v1',
    ['created', 'restored']
  ],
  [
    'https://schema.jupyter.org/jupyter_rewind/notebook/v1',
    ['damaged', 'mended', 'changed']
  ],
  [
    'https://events.jupyter.org/jupyter_server/contents_service/v1',
    ['delete', 'save']
  ]
]);

const plugin: JupyterFrontEndPlugin<ISaves> = {
  id: ID,
  description:
    'Saves when an execution ends, when the tab is left and when it is closed.',
  autoStart: true,
  provides: ISaves,
  requires: [IDocumentManager, INotebookTracker],
  optional: [ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    notebooks: INotebookTracker,
    registry: ISettingRegistry | null
  ): ISaves => {
    const intervals = new Intervals(documents);
    const followed = new Map<Context, Saving>();
    let settings: ISettingRegistry.ISettings | null = null;
    void registry
      ?.load(ID)
      .then(loaded => {
        settings = loaded;
      })
      // Without its settings it does what it does by default.
      .catch(() => undefined);

    /** Whether the user wants `what` done to a document without asking for it. */
    const wanted = (what: string, context: Context) =>
      intervals.secondsOf(context) > 0 &&
      (settings?.get(what).composite ?? true) !== false;

    const savingOf = (widget: Widget): Saving | null => {
      const context = documents.contextForWidget(widget) as Context | undefined;
      if (!context || context.isDisposed) {
        return null;
      }
      const known = followed.get(context);
      if (known) {
        return known;
      }
      const saving = new Saving(context, Date.now, () =>
        factsOf(app.serviceManager.contents, context.path)
      );
      followed.set(context, saving);
      saving.changed.connect(() =>
        intervals.hold(context, saving.standing === 'conflict')
      );
      context.disposed.connect(() => {
        followed.delete(context);
        saving.dispose();
      });
      return saving;
    };

    /** Closing saves first; where that fails, JupyterLab asks as it always did. */
    const saveOnClose = (widget: Widget) => {
      const context = documents.contextForWidget(widget) as Context | undefined;
      const saving = savingOf(widget);
      if (!context || !saving) {
        return;
      }
      let isAsked = false;
      const close = async () => {
        await saving.saveLast();
        if (!widget.isDisposed && saving.standing !== 'conflict') {
          isAsked = true;
          widget.close();
          isAsked = false;
        }
      };
      MessageLoop.installMessageHook(widget, (_, message: Message) => {
        if (message.type === 'close-request' && !context.isReady) {
          // What never came from its file holds nothing that could be lost.
          context.model.dirty = false;
          return true;
        }
        // JupyterLab calls it unsaved as long as it is being saved.
        const isOpen = saving.isDue || saving.standing === 'saving';
        if (
          message.type !== 'close-request' ||
          isAsked ||
          !isOpen ||
          !wanted('onClose', context)
        ) {
          return true;
        }
        void close();
        return false;
      });
    };

    const hooked = new WeakSet<Widget>();
    const follow = (widget: Widget | null) => {
      if (widget && savingOf(widget) && !hooked.has(widget)) {
        hooked.add(widget);
        // Once JupyterLab has hooked it, too: the last one is asked first.
        void Promise.resolve().then(() => saveOnClose(widget));
      }
    };
    notebooks.widgetAdded.connect((_, panel) => follow(panel));
    app.shell.currentChanged?.connect(() => follow(app.shell.currentWidget));

    NotebookActions.executed.connect((_, { notebook }) => {
      const panel = notebooks.find(each => each.content === notebook);
      const context = panel?.context as Context | undefined;
      if (panel && context && wanted('afterExecution', context)) {
        savingOf(panel)?.saveSoon();
      }
    });

    const leave = (atOnce: boolean) => {
      for (const [context, saving] of followed) {
        if (!saving.isDue || !wanted('onLeave', context)) {
          continue;
        }
        if (atOnce) {
          void saving.saveUnasked();
        } else {
          saving.saveSoon();
        }
      }
    };
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') {
        leave(true);
      }
    });
    window.addEventListener('beforeunload', () => leave(true));
    window.addEventListener('blur', () => leave(false));

    const { contents, events } = app.serviceManager;
    events.stream.connect((_, event) => {
      for (const [context, saving] of followed) {
        if (
          event.path === contents.localPath(context.path) &&
          TOLD.get(event.schema_id)?.includes(String(event.action))
        ) {
          saving.lookSoon();
        }
      }
    });

    const lookAll = () => {
      for (const saving of followed.values()) {
        saving.lookSoon();
      }
    };
    const saveAll = () => {
      for (const [context, saving] of followed) {
        if (intervals.secondsOf(context) > 0) {
          saving.saveSoon();
        }
      }
    };
    return { savingOf, intervals, lookAll, saveAll };
  }
};

/** What is on the disk under a path; `null` where nothing is. */
async function factsOf(
  contents: Contents.IManager,
  path: string
): Promise<IFileFacts | null> {
  try {
    return await contents.get(path, { content: false, hash: true });
  } catch (reason) {
    const { response } = reason as { response?: Response };
    if (response?.status === 404) {
      return null;
    }
    throw reason;
  }
}

export default plugin;
