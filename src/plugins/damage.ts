import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { type Contents, ServerConnection } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { Ask, Choice, DamageOffer } from '../models/damage';
import { isOnServer } from '../models/drives';
import { IRewindClient } from '../tokens';
import { tellFailure } from '../widgets/telling';

const RECOVER = 'jupyter-rewind:recover';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:damage',
  description: 'Offers help when an empty or broken notebook is opened.',
  autoStart: true,
  requires: [IRewindClient],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;

    const ask: Ask = async (path, condition) => {
      const restore = Dialog.okButton({
        label: trans.__('Restore the last good state')
      });
      const recover = Dialog.okButton({
        label: trans.__('Recover…'),
        caption: trans.__('Look for every trace of it')
      });
      const name = path.split('/').pop() ?? path;
      const isKept = Boolean(condition?.last_good);
      const words =
        condition?.words ??
        trans.__(
          '%1 cannot be read as a notebook, and no state is kept.',
          name
        );
      const { button } = await showDialog({
        title: trans.__('%1 is damaged', name),
        body: isKept
          ? trans.__(
              '%1 Its last good state was kept; what the file holds now will be kept, too.',
              words
            )
          : trans.__('%1 Other traces of it may be left.', words),
        buttons: [Dialog.cancelButton(), recover, ...(isKept ? [restore] : [])],
        defaultButton: isKept ? 2 : 1
      });
      if (button.label === restore.label) {
        return 'restore';
      }
      return button.label === recover.label ? 'recover' : 'leave';
    };
    let offers: DamageOffer | null = null;
    async function offer(path: string): Promise<Choice> {
      if (!offers) {
        const { DamageOffer } = await import('../models/damage');
        offers ??= new DamageOffer(client, ask);
      }
      return offers.offer(path);
    }

    // There is no other place to hear of a notebook that does not open.
    const get = contents.get.bind(contents);
    contents.get = async (
      path: string,
      options?: Contents.IFetchOptions
    ): Promise<Contents.IModel> => {
      try {
        return await get(path, options);
      } catch (reason) {
        const isAsked = isOpened(path, options) && isOnServer(contents, path);
        if (!isRefused(reason) || !isAsked) {
          throw reason;
        }
        const local = contents.localPath(path);
        const choice = await offer(local).catch((why: unknown) => {
          tellFailure(why instanceof Error ? why.message : String(why), trans);
          return null;
        });
        if (choice === 'restore') {
          return get(path, options);
        }
        if (choice) {
          closeNextDialogOf(reason);
        }
        if (choice === 'recover') {
          void app.commands.execute(RECOVER, { path: local });
        }
        throw reason;
      }
    };
  }
};

function isRefused(reason: unknown): reason is Error {
  return (
    reason instanceof ServerConnection.ResponseError &&
    reason.response.status === 400
  );
}

function isOpened(path: string, options?: Contents.IFetchOptions): boolean {
  return path.endsWith('.ipynb') && options?.content !== false;
}

/** The document manager's words for an error that was answered already are not shown. */
function closeNextDialogOf(reason: Error): void {
  const words = (text: string | null) => (text ?? '').replace(/\s+/g, '');
  const close = (_: unknown, dialog: Dialog<unknown>) => {
    if (words(dialog.node.textContent).includes(words(reason.message))) {
      Dialog.tracker.widgetAdded.disconnect(close);
      // It is told of while it is made, and can be closed once it is shown.
      setTimeout(() => dialog.reject(), 0);
    }
  };
  Dialog.tracker.widgetAdded.connect(close);
  setTimeout(() => Dialog.tracker.widgetAdded.disconnect(close), 10_000);
}

export default plugin;
