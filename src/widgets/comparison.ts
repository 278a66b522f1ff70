import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';
import { NotebookDiffModel } from 'nbdime/lib/diff/model';
import { NotebookDiffWidget } from 'nbdime/lib/diff/widget';

import type { Checkpoint, IDifference } from '../tokens';

/** What stands side by side, and with whose help it is drawn. */
export interface IComparison {
  path: string;
  /** What stands on the left, with the file on the right; or what stands where, in words. */
  checkpoint: Checkpoint | string;
  difference: IDifference;
  /** Whether the open document holds edits that are not on the disk yet. */
  isDirty: boolean;
  rendermime: IRenderMimeRegistry;
  editors: IEditorServices;
  translator: ITranslator;
}

/** Two states of a notebook side by side, cell by cell. */
export function comparisonWidget(
  comparison: IComparison
): MainAreaWidget<Panel> {
  const { checkpoint, difference, translator } = comparison;
  const trans = translator.load('jupyter_rewind');
  const panel = new Panel();
  panel.addClass('jp-Rewind-comparison');
  const name = comparison.path.split('/').pop() ?? comparison.path;
  panel.addWidget(
    line(
      'h2',
      typeof checkpoint === 'string'
        ? checkpoint
        : trans.__(
            '%1: %2 on the left, the file now on the right',
            name,
            nameOf(checkpoint)
          )
    )
  );
  if (comparison.isDirty) {
    panel.addWidget(
      line('p', trans.__('Edits that are not saved yet are not shown here.'))
    );
  }
  if (!difference.differs) {
    panel.addWidget(line('p', trans.__('Nothing differs.')));
  } else if (difference.notebook) {
    const model = new NotebookDiffModel(difference.notebook, difference.diff);
    const { newInlineEditor } = comparison.editors.factoryService;
    const diff = new NotebookDiffWidget({
      model,
      rendermime: comparison.rendermime,
      editorFactory: newInlineEditor.bind(comparison.editors.factoryService),
      translator,
      collapseIdentical: true
    });
    const root = new Panel();
    root.addClass('nbdime-root');
    root.addWidget(diff);
    panel.addWidget(root);
    void diff.init();
  } else {
    panel.addWidget(line('pre', difference.text));
  }
  const widget = new MainAreaWidget({ content: panel });
  widget.title.label = trans.__('%1 compared', name);
  widget.title.closable = true;
  return widget;
}

function nameOf(checkpoint: Checkpoint): string {
  const when = new Date(checkpoint.time).toLocaleString();
  return checkpoint.labels.length
    ? `${checkpoint.labels.join(', ')} (${when})`
    : when;
}

function line(tag: 'h2' | 'p' | 'pre', text: string): Widget {
  const node = document.createElement(tag);
  node.textContent = text;
  return new Widget({ node });
}
