import type { ICodeCellModel } from '@jupyterlab/cells';
import {
  NotebookActions,
  NotebookModel,
  type NotebookPanel
} from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';

import { AwayOutputs } from '../models/awayoutputs';
import type { Unseen } from '../tokens';
import { book, code } from './books';

/** An execution that went on, of a cell that is the only one with that source. */
function ran(source: string, text: string, running = false): Unseen {
  const outputs = [{ output_type: 'stream', name: 'stdout', text }];
  const count = running ? null : 7;
  return { cell: null, source, outputs, running, count } as never;
}

/** An open notebook of two cells, and what went on in it. */
function opened(executions: () => Unseen[]) {
  const model = new NotebookModel();
  model.fromJSON(book(code('one'), code('two')));
  const owner = {};
  const panel = {
    content: { model, widgets: [] },
    context: { contentsModel: null, model },
    sessionContext: {
      iopubMessage: new Signal(owner),
      statusChanged: new Signal(owner),
      session: null,
      isDisposed: false
    }
  } as unknown as NotebookPanel;
  const away = new AwayOutputs(panel, async () => executions());
  const cells = Array.from(model.cells) as ICodeCellModel[];
  const texts = () => cells.map(cell => cell.outputs.toJSON()[0]?.text);
  return { away, cells, model, texts };
}

describe('AwayOutputs', () => {
  it('brings nothing back that was cleared while another cell runs on', async () => {
    let second = 'a';
    const { away, cells, texts } = opened(() => [
      ran('one', 'done'),
      ran('two', second, true)
    ]);
    await away.bring();
    expect(texts()).toEqual(['done', 'a']);
    cells[0].outputs.clear();
    second = 'ab';
    await away.bring();
    expect(texts()).toEqual([undefined, 'ab']);
    away.dispose();
  });

  it('brings what a cell put out that was run once more, elsewhere', async () => {
    let text = 'first';
    const { away, texts } = opened(() => [ran('one', text)]);
    await away.bring();
    text = 'second';
    await away.bring();
    expect(texts()[0]).toBe('second');
    away.dispose();
  });

  it('leaves a cell alone that was run in another view of the notebook', async () => {
    const { away, cells, model, texts } = opened(() => [ran('one', 'before')]);
    const scheduled = NotebookActions.executionScheduled as Signal<
      unknown,
      unknown
    >;
    scheduled.emit({ notebook: { model }, cell: { model: cells[0] } });
    await away.bring();
    expect(texts()[0]).toBeUndefined();
    away.dispose();
  });
});
