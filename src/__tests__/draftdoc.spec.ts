import { NotebookModel } from '@jupyterlab/notebook';
import * as Y from 'yjs';

import { DraftDoc } from '../models/draftdoc';
import { book, code } from './books';

describe('what a draft keeps of a stream', () => {
  it('is what the cell shows, however its text grows or changes', () => {
    const model = new NotebookModel();
    model.fromJSON(book(code('print(1)')));
    const notebook = model.sharedModel;
    const [cell] = notebook.cells;
    const draft = new DraftDoc(notebook.cells);
    const kept = new Y.Doc();
    const smile = '\u{1f600}';
    let size = 0;
    const told = (text: string) => {
      const output = { output_type: 'stream', name: 'stdout', text };
      const { setOutputs } = cell as unknown as {
        setOutputs(all: unknown[]): void;
      };
      // One that is there already would be added to.
      setOutputs.call(cell, []);
      setOutputs.call(cell, [output]);
      draft.note(cell, 'outputs');
      draft.write(notebook);
      const update = draft.updateSince(Y.encodeStateVector(kept));
      size = update.length;
      Y.applyUpdate(kept, update);
      const cells = kept.getMap<Y.Map<Y.Array<Y.Map<Y.Text>>>>('cells');
      return cells.get('0')!.get('outputs')!.get(0).get('text')!.toString();
    };
    const long = 'a line\n'.repeat(100_000);
    for (const text of [
      'one\n',
      'one\ntwo\n',
      `one\n50%${smile[0]}`,
      `one\n50%${smile}`,
      `one\n50%${smile} and on`,
      'one\n100%',
      '',
      long
    ]) {
      // Half a sign cannot be sent.
      expect(told(text).replace('\ufffd', smile[0])).toBe(text);
    }
    expect(told(`${long}more\n`)).toBe(`${long}more\n`);
    expect(size).toBeLessThan(100);
  });
});
