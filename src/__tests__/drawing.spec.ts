import { NotebookModel, type NotebookPanel } from '@jupyterlab/notebook';

import { isWhole } from '../widgets/drawing';
import { book, code } from './books';

/** A notebook of two cells with these of their views. */
function drawn(...shown: (number | undefined)[]): NotebookPanel {
  const model = new NotebookModel();
  model.fromJSON(book(code('one'), code('two')));
  const widgets = shown.map(at =>
    at === undefined ? undefined : { model: model.cells.get(at) }
  );
  return { content: { model, widgets } } as unknown as NotebookPanel;
}

describe('isWhole', () => {
  it('tells whether each cell has its view, in its place', () => {
    expect(isWhole(drawn(0, 1))).toBe(true);
    expect(isWhole(drawn(1, 0))).toBe(false);
    expect(isWhole(drawn(0))).toBe(false);
  });

  it('takes a place without a view for a missing one', () => {
    expect(isWhole(drawn(0, undefined))).toBe(false);
  });
});
