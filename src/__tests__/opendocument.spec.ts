import { type DocumentRegistry, DocumentModel } from '@jupyterlab/docregistry';
import { NotebookModel } from '@jupyterlab/notebook';

import { openDocument } from '../models/opendocument';
import { book, code } from './books';

const contentOf = (model: unknown, facts: object) => {
  const context = { model, contentsModel: facts, path: 'a', isDisposed: false };
  const contents = { localPath: (path: string) => path };
  return openDocument(context as unknown as DocumentRegistry.Context, contents)
    .content;
};

describe('what stands in the tab of a document', () => {
  it('is a notebook where it has cells, and else a text, whatever the server calls it', () => {
    const script = new DocumentModel();
    script.fromString('print(1) # one');
    const told = { type: 'notebook', format: 'json' };
    expect(contentOf(script, told)).toBe('print(1) # one');
    const notebook = new NotebookModel();
    notebook.fromJSON(book(code('one')));
    expect(contentOf(notebook, told)).toMatchObject({
      cells: [{ source: 'one' }]
    });
    expect(contentOf(script, { type: 'file', format: 'base64' })).toBeNull();
  });
});
