import type { INotebookContent } from '@jupyterlab/nbformat';
import { NotebookModel } from '@jupyterlab/notebook';

import { copyOf } from '../models/draftcopy';
import { DraftDoc } from '../models/draftdoc';

const BOOK = {
  cells: ['one', 'two', 'three'].map(source => ({
    cell_type: 'code',
    id: source,
    metadata: {},
    source,
    outputs: [],
    execution_count: null
  })),
  metadata: { kernelspec: { name: 'python3', display_name: 'Python 3' } },
  nbformat: 4,
  nbformat_minor: 5
} as unknown as INotebookContent;

/** A notebook in which `edit` was done, and the draft of it. */
function drafted(
  edit: (notebook: NotebookModel['sharedModel'], doc: DraftDoc) => void
): { model: NotebookModel; update: Uint8Array } {
  const model = new NotebookModel();
  model.fromJSON(BOOK);
  const doc = new DraftDoc(model.sharedModel.cells);
  edit(model.sharedModel, doc);
  doc.write(model.sharedModel);
  return { model, update: doc.updateSince(null) };
}

describe('copyOf', () => {
  it('is the whole notebook where what it is an edit of is known', () => {
    const { model, update } = drafted((notebook, doc) => {
      notebook.getCell(1).setSource('two, edited');
      doc.note(notebook.getCell(1), 'source');
      notebook.insertCell(1, { cell_type: 'markdown', source: 'fresh' });
      notebook.deleteCell(3);
      doc.noteOrder();
    });
    const copy = copyOf({ content: BOOK, update });
    expect(copy.cells.map(cell => cell.source)).toEqual(
      model.sharedModel.cells.map(cell => cell.getSource())
    );
    expect(copy.cells[1].cell_type).toBe('markdown');
    expect(copy.metadata).toEqual(BOOK.metadata);
    expect(copy.cells.every(cell => typeof cell.id === 'string')).toBe(true);
    model.dispose();
  });

  it('is the touched cells, in order, where it is not', () => {
    const { model, update } = drafted((notebook, doc) => {
      const outputs = [
        { output_type: 'stream', name: 'stdout', text: 'put out' }
      ];
      notebook.getCell(2).setSource('three, edited');
      doc.note(notebook.getCell(2), 'source');
      notebook.insertCell(1, { cell_type: 'code', source: 'fresh', outputs });
      doc.noteOrder();
    });
    const copy = copyOf({ content: null, update });
    expect(copy.cells.map(cell => cell.source)).toEqual([
      'fresh',
      'three, edited'
    ]);
    expect(copy.cells[0].outputs).toEqual([
      { output_type: 'stream', name: 'stdout', text: 'put out' }
    ]);
    expect(copy.cells.every(cell => !('id' in cell))).toBe(true);
    model.dispose();
  });

  it('is the touched cells where only sources changed', () => {
    const { model, update } = drafted((notebook, doc) => {
      notebook.getCell(1).setSource('two, edited');
      doc.note(notebook.getCell(1), 'source');
    });
    const copy = copyOf({ content: null, update });
    expect(copy.cells).toEqual([
      {
        cell_type: 'code',
        source: 'two, edited',
        metadata: {},
        outputs: [],
        execution_count: null
      }
    ]);
    model.dispose();
  });
});
