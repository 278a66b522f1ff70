import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { Signal } from '@lumino/signaling';

import { type ISavable, Saving } from '../models/saving';
import { type ISession, isKernelsOwn } from '../models/touch';
import { book, code } from './books';
import { opened } from './drafting';

/** The session of a notebook in Python, with these kernels installed. */
function sessionWith(kernels: Record<string, string>): ISession {
  const kernelspecs = Object.fromEntries(
    Object.entries(kernels).map(([name, language]) => [name, { language }])
  );
  return {
    specsManager: { specs: { default: 'python3', kernelspecs } },
    kernelPreference: { name: 'gone', language: 'python' }
  } as unknown as ISession;
}

const changed = (before: string, after: string) => ({
  key: 'kernelspec',
  oldValue: { name: before },
  newValue: { name: after }
});

/** An open notebook with its drafts, and how it stands. */
function saved(content: INotebookContent, sessionContext?: ISession) {
  const { context, ...rest } = opened(content);
  const ready = Promise.resolve();
  const more = { fileChanged: new Signal({}), ready, sessionContext };
  const savable = Object.assign(context, more) as unknown as ISavable;
  savable.save = async () => undefined;
  return { ...rest, saving: new Saving(savable) };
}

/** As JupyterLab does it: nobody is told but that the notebook is dirty. */
function hide({ sharedModel }: ICellModel, act: () => void): void {
  const { transact } = sharedModel as unknown as {
    transact(act: () => void, undoable: boolean, origin: string): void;
  };
  transact.call(sharedModel, act, false, 'silent-change');
}

describe('hiding', () => {
  it('what is in a cell leaves the notebook unsaved, and is kept', async () => {
    const { model, server, session, saving } = saved(book(code('one')));
    await session.flush();
    const cell = model.cells.get(0);
    hide(cell, () => cell.setMetadata('collapsed', true));
    await session.flush();
    expect(saving.standing).toBe('unsaved');
    expect(server.metadata('0')).toMatchObject({ collapsed: true });
    saving.dispose();
    session.dispose();
  });

  it('nothing is no edit, whatever is tidied up while a cell is drawn', async () => {
    const content = book({ ...code('one'), metadata: { collapsed: false } });
    const { model, server, session, saving } = saved(content);
    await session.flush();
    const cell = model.cells.get(0);
    hide(cell, () => cell.deleteMetadata('collapsed'));
    await session.flush();
    expect(saving.standing).toBe('saved');
    expect(server.drafts.size).toBe(0);
    saving.dispose();
    session.dispose();
  });
});

describe('a running cell', () => {
  it('leaves the notebook unsaved with each line, and sends none as a draft', async () => {
    const { model, server, session, saving } = saved(book(code('one')));
    await session.flush();
    const { outputs } = model.cells.get(0) as ICodeCellModel;
    const line = { output_type: 'stream', name: 'stdout' };
    outputs.add({ ...line, text: 'first\n' });
    await session.flush();
    expect(saving.standing).toBe('unsaved');
    await saving.saveUnasked();
    model.dirty = false;
    await session.flush();
    expect(saving.standing).toBe('saved');
    outputs.add({ ...line, text: 'second\n' });
    await session.flush();
    expect(saving.standing).toBe('unsaved');
    expect(server.drafts.size).toBe(0);
    saving.dispose();
    session.dispose();
  });
});

describe('another kernel', () => {
  it('is no edit where JupyterLab starts it for one that is not installed', () => {
    const session = sessionWith({ python3: 'python', ir: 'R' });
    expect(isKernelsOwn(changed('gone', 'python3'), session)).toBe(true);
    expect(isKernelsOwn(changed('gone', 'python3'))).toBe(false);
  });

  it('leaves a notebook saved and without a draft then, else not', async () => {
    const content = book(code('one'));
    content.metadata.kernelspec = { name: 'gone', display_name: 'Gone' };
    const installed = sessionWith({ python3: 'python', ir: 'R' });
    const { model, server, session, saving } = saved(content, installed);
    const choose = async (name: string) => {
      model.setMetadata('kernelspec', { name, display_name: name });
      await session.flush();
    };
    await session.flush();
    await choose('python3');
    expect(saving.standing).toBe('saved');
    expect([...server.drafts.keys()]).toEqual([]);
    await choose('ir');
    expect(saving.standing).toBe('unsaved');
    expect([...server.drafts.keys()]).toEqual(['draft-1']);
    saving.dispose();
    session.dispose();
  });

  it('is an edit where a person chooses it', () => {
    const one = sessionWith({ python3: 'python', ir: 'R' });
    expect(isKernelsOwn(changed('gone', 'ir'), one)).toBe(false);
    expect(isKernelsOwn(changed('python3', 'ir'), one)).toBe(false);
    expect(isKernelsOwn(changed('ir', 'python3'), one)).toBe(false);
    const two = sessionWith({ python3: 'python', other: 'python' });
    expect(isKernelsOwn(changed('gone', 'python3'), two)).toBe(false);
  });
});
