import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import type { IOpenDocument } from './history';

/** The document behind a context, in the words of the history. */
export function openDocument(
  context: DocumentRegistry.Context,
  contents: Pick<Contents.IManager, 'localPath'>
): IOpenDocument {
  return {
    get path() {
      return contents.localPath(context.path);
    },
    get isNotebook() {
      // Not by what the server calls it: Jupytext calls scripts notebooks.
      return 'cells' in context.model;
    },
    get isDirty() {
      return !context.isDisposed && context.model.dirty;
    },
    get content() {
      if (context.isDisposed || context.contentsModel?.format === 'base64') {
        return null;
      }
      return this.isNotebook
        ? context.model.toJSON()
        : context.model.toString();
    },
    get kernel() {
      return context.isDisposed
        ? null
        : (context.sessionContext.session?.kernel?.id ?? null);
    },
    save: () => context.save(),
    // Under real-time collaboration the server changes the live document itself.
    reload: () =>
      context.isDisposed || context.model.collaborative
        ? Promise.resolve()
        : context.revert()
  };
}
