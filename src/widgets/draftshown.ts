import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';

import type { Draft, IRewindClient } from '../tokens';
import type { IDrawing } from './comparison';
import { clock } from './draftnotices';
import { addAnew } from './tabs';

/** What a draft changes in the file, beside it: in a tab, or without a shell for tabs in a dialog. */
export async function showDraft(
  client: IRewindClient,
  draft: Draft,
  path: string,
  drawing: IDrawing,
  shell: JupyterFrontEnd.IShell | null
): Promise<void> {
  const trans = drawing.translator.load('jupyter_rewind');
  const difference = await client.draftDifference(path, draft.draft);
  // Fetched when first needed: nbdime's view is most of this extension's bytes.
  const { comparisonWidget } = await import('./comparison');
  const widget = comparisonWidget({
    path,
    words: trans.__(
      '%1: the file now on the left, with the unsaved edits of %2 on the right',
      path.split('/').pop() ?? path,
      clock(draft)
    ),
    difference,
    ...drawing
  });
  widget.id = `jupyter-rewind-draft-${draft.draft}`;
  if (shell) {
    addAnew(shell, widget);
    return;
  }
  // A page of Notebook 7 has room for one document only.
  widget.addClass('jp-Rewind-dialog');
  const close = Dialog.okButton({ label: trans.__('Close') });
  const title = widget.title.label;
  await showDialog({ title, body: widget, buttons: [close] });
}
