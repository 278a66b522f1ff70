import type { INotebookContent } from '@jupyterlab/nbformat';
import { NotebookModel } from '@jupyterlab/notebook';

import { putInto, saysAll } from '../models/draftrestore';
import { book, code, type Json } from './books';

function notebook(content: INotebookContent): NotebookModel {
  const model = new NotebookModel();
  model.fromJSON(content);
  return model;
}

describe('putInto', () => {
  it('touches only the cells that differ', () => {
    const before = book(code('a'), code('b'), code('c'));
    const model = notebook(before);
    const cells = model.sharedModel.cells.slice();
    const after = JSON.parse(JSON.stringify(before)) as INotebookContent;
    after.cells[1].source = 'B';
    putInto(model.sharedModel, after);
    expect(model.sharedModel.cells.map(cell => cell.getSource())).toEqual([
      'a',
      'B',
      'c'
    ]);
    expect(model.sharedModel.cells).toEqual(cells);
    model.dispose();
  });

  it('keeps cells that moved apart, by their ids', () => {
    const cells = ['a', 'b', 'c', 'd'].map(text => code(text));
    const model = notebook(book(...cells));
    const [a, b, c, d] = model.sharedModel.cells;
    const changed = cells.map(cell => ({ ...cell, source: `${cell.source}!` }));
    const after = book(
      code('x'),
      changed[0],
      changed[2],
      code('y'),
      changed[3]
    );
    putInto(model.sharedModel, after);
    const now = model.sharedModel.cells;
    expect(now.map(cell => cell.getSource())).toEqual(
      after.cells.map(cell => cell.source)
    );
    expect([now[1], now[2], now[4]]).toEqual([a, c, d]);
    expect(now).not.toContain(b);
    putInto(model.sharedModel, book(changed[3], changed[0], changed[2]));
    expect(model.sharedModel.cells.slice(1)).toEqual([a, c]);
    model.dispose();
  });

  it('brings any notebook to say what another says', () => {
    const words = ['a', 'b', 'c', 'd'];
    const books = [
      [],
      ['a'],
      ['x', 'a', 'b'],
      ['d', 'c'],
      words,
      ['a', 'c', 'd', 'e', 'f']
    ];
    for (const one of books.slice(1)) {
      for (const other of books.slice(1)) {
        const model = notebook(book(...one.map(text => code(text))));
        putInto(model.sharedModel, book(...other.map(text => code(text))));
        expect(model.sharedModel.cells.map(cell => cell.getSource())).toEqual(
          other
        );
        model.dispose();
      }
    }
  });
});

describe('saysAll', () => {
  const stream = (text: string | string[]) => ({
    output_type: 'stream',
    name: 'stdout',
    text
  });
  const plot = { output_type: 'display_data', data: {}, metadata: {} };
  const says = (now: Json[], then: Json[], source = 'a') =>
    saysAll(book(code('a', now)), book(code(source, then)));

  it('lets outputs go on where those of the draft end', () => {
    expect(says([stream('one\ntwo')], [stream(['one\n'])])).toBe(true);
    expect(says([stream('one'), plot], [stream('one')])).toBe(true);
    expect(says([stream('one')], [])).toBe(true);
  });

  it('misses nothing that only the draft has', () => {
    expect(says([stream('one')], [stream('one\ntwo')])).toBe(false);
    expect(says([stream('other')], [stream('one')])).toBe(false);
    expect(says([stream('one!'), plot], [stream('one'), plot])).toBe(false);
    expect(says([], [plot])).toBe(false);
    expect(says([], [], 'b')).toBe(false);
    expect(saysAll(book(code('a')), book(code('a'), code('b')))).toBe(false);
  });
});
