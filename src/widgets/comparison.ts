import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { Panel, Widget } from '@lumino/widgets';
import { NotebookDiffModel } from 'nbdime/lib/diff/model';
import { CellDiffWidget, NotebookDiffWidget } from 'nbdime/lib/diff/widget';

import type { Choices } from '../models/choices';
import type { IOpenDocument } from '../models/history';
import type { Pages } from '../models/pages';
import type { Checkpoint, IDifference } from '../tokens';
import { nameOf, SideChoice, tellCheckpoint } from './sidechoice';
import { textDifference } from './textdifference';

/** With whose help a difference is drawn. */
export interface IDrawing {
  rendermime: IRenderMimeRegistry;
  editors: IEditorServices;
  translator: ITranslator;
}

/** What stands side by side. */
export interface IComparison extends IDrawing {
  path: string;
  /** What stands where, in words. */
  words: string;
  difference: IDifference;
}

/** Two states of a notebook side by side, cell by cell. */
export function comparisonWidget(
  comparison: IComparison
): MainAreaWidget<Panel> {
  const panel = new Panel();
  panel.addClass('jp-Rewind-comparison');
  panel.addWidget(line('h2', comparison.words));
  panel.addWidget(differenceWidget(comparison.difference, comparison));
  return inMainArea(panel, comparison);
}

/** What the user can choose in a comparison of checkpoints. */
export interface ICheckpointComparison extends IDrawing {
  path: string;
  /** What stands on the left. */
  checkpoint: Checkpoint;
  /** All checkpoints of the document: what else than the present can stand on the right. */
  checkpoints: Pages<Checkpoint>;
  /** The document as it is open. */
  open: Pick<IOpenDocument, 'content' | 'isDirty'>;
  choices: Pick<Choices, 'hidesOutputs'>;
  /** What changed from the checkpoint to another state; `present` is the file on disk. */
  difference(remote: string): Promise<IDifference>;
  /** What changed from the checkpoint to what stands in the document's tab. */
  differenceToOpen(content: unknown): Promise<IDifference>;
  /** Bring one cell of the checkpoint back into the open document. */
  restoreCell(cell: string): Promise<void>;
  /** Say what failed. */
  fail(reason: unknown): void;
}

/** A checkpoint beside the present or another checkpoint; each of its cells can be brought back. */
export async function checkpointComparison(
  options: ICheckpointComparison
): Promise<MainAreaWidget<Panel>> {
  const trans = options.translator.load('jupyter_rewind');
  const name = options.path.split('/').pop() ?? options.path;
  const panel = new Panel();
  panel.addClass('jp-Rewind-comparison');
  const heading = trans.__(
    '%1: %2 on the left',
    name,
    nameOf(options.checkpoint)
  );
  panel.addWidget(line('h2', heading));
  const present: [string, string] = [
    'present',
    trans.__('the file on disk now')
  ];
  const right = new SideChoice(
    {
      first: [
        ['open', trans.__('what is open now, with unsaved edits')],
        present
      ],
      entries: options.checkpoints,
      except: options.checkpoint.id,
      tell: each => tellCheckpoint(each, trans),
      onChosen: () => void show().catch(options.fail),
      fail: options.fail
    },
    trans
  );
  const hidden = document.createElement('input');
  hidden.type = 'checkbox';
  hidden.checked = options.choices.hidesOutputs;
  panel.toggleClass('jp-mod-noOutputs', hidden.checked);
  hidden.addEventListener('change', () => {
    panel.toggleClass('jp-mod-noOutputs', hidden.checked);
    options.choices.hidesOutputs = hidden.checked;
  });
  const controls = document.createElement('div');
  controls.className = 'jp-Rewind-controls';
  const hiding = labelled(trans.__('Hide outputs'), hidden, true);
  controls.append(labelled(trans.__('On the right:'), right.node), hiding);
  panel.addWidget(new Widget({ node: controls }));
  const lacking = line(
    'p',
    trans.__('Edits that are not saved yet are not shown here.')
  );
  panel.addWidget(lacking);
  const nameless = line(
    'p',
    trans.__(
      'Cells without ids, as notebooks of format 4.4 and older have them, cannot be restored alone. Restore the whole notebook, or copy what you need from the left.'
    )
  );
  panel.addWidget(nameless);

  /** Of what is open as long as it is, and of the file from then on. */
  const differenceTo = (chosen: string) => {
    if (chosen !== 'open') {
      return options.difference(chosen);
    }
    const { content } = options.open;
    if (content !== null) {
      return options.differenceToOpen(content);
    }
    right.first = [present];
    return options.difference('present');
  };

  // Whoever has restored a cell goes on from there with the keyboard.
  panel.node.tabIndex = -1;
  let shown: Widget | null = null;
  let asked = 0;
  const show = async (isAgain = false) => {
    const turn = ++asked;
    const difference = await differenceTo(right.value);
    if (turn !== asked) {
      return; // a later choice is shown, however long this answer took
    }
    nameless.setHidden(!difference.differs || hasIds(difference.notebook));
    hiding.hidden = !difference.notebook; // a text has none
    lacking.setHidden(right.value !== 'present' || !options.open.isDirty);
    const offer = (cell: string) => {
      const button = document.createElement('button');
      button.className = 'jp-Rewind-link jp-Rewind-cell';
      button.textContent = trans.__('Restore this cell');
      let isUnderWay = false;
      button.addEventListener('click', () => {
        if (!isUnderWay) {
          isUnderWay = true;
          options
            .restoreCell(cell)
            .then(() => show(true))
            .catch(options.fail)
            .finally(() => (isUnderWay = false));
        }
      });
      return button;
    };
    const isFocused = shown?.node.contains(document.activeElement);
    const top = isAgain ? panel.node.scrollTop : 0;
    shown?.dispose();
    shown = differenceWidget(difference, options, offer, () => {
      panel.node.scrollTop = top;
    });
    panel.addWidget(shown);
    if (isFocused) {
      panel.node.focus({ preventScroll: true });
    }
  };
  await Promise.all([show(), right.refresh()]);
  return inMainArea(panel, options);
}

/**
 * A difference; above each changed cell of the first state stands what `offer` makes for it. All of
 * it is there when `drawn` is called.
 */
function differenceWidget(
  difference: IDifference,
  drawing: IDrawing,
  offer?: (cell: string) => HTMLElement,
  drawn?: () => void
): Widget {
  const trans = drawing.translator.load('jupyter_rewind');
  if (!difference.differs) {
    return line('p', trans.__('Nothing differs.'));
  }
  if (!difference.notebook) {
    return textDifference(difference.text, trans);
  }
  const { newInlineEditor } = drawing.editors.factoryService;
  const diff = new NotebookDiffWidget({
    model: new NotebookDiffModel(difference.notebook, difference.diff),
    rendermime: drawing.rendermime,
    editorFactory: newInlineEditor.bind(drawing.editors.factoryService),
    translator: drawing.translator,
    collapseIdentical: true
  });
  const root = new Panel();
  root.addClass('nbdime-root');
  root.addWidget(diff);
  void diff.init().then(() => {
    nameParts(diff.node, trans);
    for (const cell of offer ? cellsIn(diff) : []) {
      const id: unknown = cell.model.cellId.base;
      if (offer && !cell.model.unchanged && typeof id === 'string' && id) {
        cell.node.prepend(offer(id));
      }
    }
    drawn?.();
  });
  return root;
}

/** Whether the cells of a notebook can be named; so it is with what has no cells. */
function hasIds(notebook: IDifference['notebook']): boolean {
  return !notebook || notebook.cells.every(cell => Boolean(cell.id));
}

/** What a screen reader calls the editors and the buttons of a difference. */
function nameParts(node: HTMLElement, trans: TranslationBundle): void {
  // Notebooks of an old format have no ids.
  for (const each of node.querySelectorAll('.jp-Cellrow-header-cellId')) {
    if (each.textContent?.endsWith(': undefined')) {
      each.textContent = '';
    }
  }
  const sides: [string, string][] = [
    ['.cm-diff-left-editor', trans.__('On the left')],
    ['.cm-diff-right-editor', trans.__('On the right')],
    ['.cm-merge-pane', trans.__('On both sides')]
  ];
  for (const [side, words] of sides) {
    node
      .querySelectorAll(`${side} .cm-content:not([aria-label])`)
      .forEach(editor => editor.setAttribute('aria-label', words));
  }
  for (const header of node.querySelectorAll('.jp-CollapsiblePanel-header')) {
    const button = header.querySelector('button');
    const panel = header.nextElementSibling;
    const tell = () =>
      button?.setAttribute(
        'aria-expanded',
        String(!panel?.querySelector(':scope > .jp-CollapsiblePanel-closed'))
      );
    button?.setAttribute('aria-label', header.textContent ?? '');
    header.addEventListener('click', tell);
    tell();
  }
}

function* cellsIn(widget: Widget): Iterable<CellDiffWidget> {
  if (widget instanceof CellDiffWidget) {
    yield widget;
    return;
  }
  for (const child of widget.children()) {
    yield* cellsIn(child);
  }
}

function inMainArea(
  panel: Panel,
  { path, translator }: { path: string; translator: ITranslator }
): MainAreaWidget<Panel> {
  const trans = translator.load('jupyter_rewind');
  const widget = new MainAreaWidget({ content: panel });
  widget.title.label = trans.__('%1 compared', path.split('/').pop() ?? path);
  widget.title.icon = historyIcon;
  widget.title.closable = true;
  return widget;
}

function labelled(
  text: string,
  control: HTMLElement,
  isBefore = false
): HTMLElement {
  const label = document.createElement('label');
  label.append(...(isBefore ? [control, text] : [text, control]));
  return label;
}

function line(tag: 'h2' | 'p', text: string): Widget {
  const node = document.createElement(tag);
  node.textContent = text;
  return new Widget({ node });
}
