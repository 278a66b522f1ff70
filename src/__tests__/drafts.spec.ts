import { NotebookModel } from '@jupyterlab/notebook';
import * as Y from 'yjs';

import { crc32 } from '../models/draftbase';
import { book, code } from './books';
import { opened } from './drafting';

const only = (drafts: Map<string, unknown>) => [...drafts.keys()];

describe('DraftSession', () => {
  it('hands over what was touched, and a few bytes for each further edit', async () => {
    const large = code('big', [
      { output_type: 'stream', name: 'stdout', text: 'x'.repeat(2_000_000) }
    ]);
    const { model, server, session } = opened(book(code('one'), large));
    model.sharedModel.getCell(0).setSource('one and a half');
    await session.flush();
    expect(server.told.cells).toEqual({ '0': 'one and a half' });
    expect(server.sizes[0]).toBeLessThan(200);
    model.sharedModel.getCell(0).updateSource(14, 14, '!');
    await session.flush();
    expect(server.told.cells).toEqual({ '0': 'one and a half!' });
    expect(server.sizes[1]).toBeLessThan(40);
    expect(session.place).toBe('server');
  });

  it('is on the server but for the latest while edits go on', async () => {
    const { model, server, session } = opened(book(code('one')));
    const append = server.appendDraft.bind(server);
    server.appendDraft = (...told) => {
      model.sharedModel.getCell(0).setSource('three');
      return append(...told);
    };
    model.sharedModel.getCell(0).setSource('two');
    expect(session.place).toBeNull();
    await session.flush();
    model.sharedModel.getCell(0).setSource('two!');
    expect(session.place).toBe('sending');
    await session.flush();
    expect(session.place).toBe('sending');
    server.failure = new Error('away');
    await session.flush();
    expect(session.place).toBe('browser');
  });

  it('says what the browser had read', async () => {
    const { model, server, session } = opened(book(code('one'), code('zwölf')));
    model.sharedModel.getCell(0).setSource('changed');
    await session.flush();
    const [{ base }] = [...server.drafts.values()];
    expect(base).toEqual({
      cells: 2,
      crc: crc32(['one', 'zwölf']),
      sha256: 'abc'
    });
    expect(crc32(['123456789'])).toBe(0xcbf43926);
  });

  it('tells cells that come, go and move in runs', async () => {
    const { model, server, session } = opened(
      book(...'abcdef'.split('').map(text => code(text)))
    );
    const { sharedModel } = model;
    sharedModel.deleteCell(4);
    sharedModel.insertCell(1, { cell_type: 'code', source: 'new' });
    await session.flush();
    expect(server.told.order).toEqual([[0, 1], 'n0', [1, 3], [5, 1]]);
    expect(server.told.cells).toEqual({ n0: 'new' });
  });

  it('sends of a growing output only what is new', async () => {
    const { model, server, session } = opened(book(code('loop')));
    const cell = model.sharedModel.getCell(0) as unknown as {
      setOutputs(outputs: unknown[]): void;
      appendStreamOutput(index: number, text: string): void;
    };
    const text = 'line\n'.repeat(2000);
    cell.setOutputs([{ output_type: 'stream', name: 'stdout', text }]);
    await session.flush();
    cell.appendStreamOutput(0, 'one more');
    await session.flush();
    expect(server.sizes[1]).toBeLessThan(60);
    const [output] = server.outputs('0') as { text: string }[];
    expect(output.text).toBe(`${text}one more`);
  });

  it('keeps edits in the browser while the server is away, and hands them over then', async () => {
    const { model, server, shelf, session } = opened(book(code('one')));
    server.failure = new TypeError('away');
    model.sharedModel.getCell(0).setSource('offline');
    await session.flush();
    expect(session.place).toBe('browser');
    const [kept] = [...shelf.kept.values()];
    const doc = new Y.Doc();
    Y.applyUpdate(doc, kept.update);
    expect(doc.getMap('cells').toJSON()).toEqual({
      '0': { source: 'offline' }
    });
    server.failure = null;
    session.retry();
    await session.flush();
    expect(session.place).toBe('server');
    expect(server.told.cells).toEqual({ '0': 'offline' });
    expect(only(shelf.kept)).toEqual([]);
  });

  it('tells when neither server nor browser takes the edits', async () => {
    const { model, server, shelf, session } = opened(book(code('one')));
    server.failure = new TypeError('away');
    shelf.failure = new Error('QuotaExceededError');
    model.sharedModel.getCell(0).setSource('nowhere');
    await session.flush();
    expect(session.place).toBeNull();
    expect(session.failure?.message).toBe('QuotaExceededError');
    shelf.failure = null;
    await session.flush();
    expect(session.place).toBe('browser');
    expect(session.failure).toBeNull();
  });

  it('begins anew where the server has lost the draft', async () => {
    const { model, server, session } = opened(book(code('one')));
    model.sharedModel.getCell(0).setSource('first');
    await session.flush();
    server.drafts.clear();
    model.sharedModel.getCell(0).setSource('first, second');
    await session.flush();
    await session.flush();
    expect(server.told.cells).toEqual({ '0': 'first, second' });
  });

  it('lets a save take the place of the draft, but not of what was typed meanwhile', async () => {
    const { model, saveState, server, session } = opened(book(code('one')));
    model.sharedModel.getCell(0).setSource('saved');
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-1']);
    saveState.emit('started');
    model.sharedModel.getCell(0).setSource('saved, and typed while saving');
    model.dirty = false;
    saveState.emit('completed');
    expect(model.dirty).toBe(true);
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-2']);
    expect(server.told.cells).toEqual({ '0': 'saved, and typed while saving' });
  });

  it('drops the draft of a save only once what was typed meanwhile is kept anew', async () => {
    const { model, saveState, server, shelf, session } = opened(
      book(code('one'))
    );
    const told = () =>
      [...server.drafts.values()].map(each =>
        JSON.stringify(each.doc.getMap('cells').toJSON())
      );
    model.sharedModel.getCell(0).setSource('saved');
    saveState.emit('started');
    model.sharedModel.getCell(0).setSource('typed while saving');
    await session.flush();
    const discard = jest.spyOn(server, 'discardDraft');
    discard.mockImplementation(async (_, draft) => {
      const rest = [...server.drafts.keys()].filter(each => each !== draft);
      expect(rest).toEqual(['draft-2']);
      server.drafts.delete(draft);
    });
    server.failure = new TypeError('away');
    shelf.failure = new Error('QuotaExceededError');
    saveState.emit('completed');
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-1']);
    expect(told()[0]).toContain('typed while saving');
    server.failure = null;
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-2']);
    expect(told()[0]).toContain('typed while saving');
    expect(discard).toHaveBeenCalledTimes(1);
  });

  it('keeps the draft where the save failed', async () => {
    const { model, saveState, server, session } = opened(book(code('one')));
    model.sharedModel.getCell(0).setSource('precious');
    saveState.emit('started');
    saveState.emit('failed');
    await session.flush();
    expect(server.told.cells).toEqual({ '0': 'precious' });
    expect(only(server.drafts)).toEqual(['draft-1']);
  });

  it('keeps what a revert throws away', async () => {
    const { model, context, server, session } = opened(book(code('one')));
    model.sharedModel.getCell(0).setSource('thrown away');
    await context.revert();
    await session.flush();
    expect(server.told.cells).toEqual({ '0': 'thrown away' });
    expect(server.ended).toEqual(['draft-1 reverted']);
    expect(session.place).toBeNull();
  });

  it('keeps what is typed while a revert waits for its answer', async () => {
    const { model, context, server, session } = opened(
      book(code('one')),
      false,
      () => model.sharedModel.getCell(0).setSource('typed while it waits')
    );
    await context.revert();
    await session.flush();
    expect(model.sharedModel.getCell(0).getSource()).toBe('one');
    expect(server.told.cells).toEqual({ '0': 'typed while it waits' });
    expect(server.ended).toEqual(['draft-1 reverted']);
    model.sharedModel.getCell(0).setSource('typed after it');
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-1', 'draft-2']);
  });

  it('goes on with its draft where a revert failed', async () => {
    const { model, context, server, session } = opened(
      book(code('one')),
      false,
      () => {
        throw new TypeError('away');
      }
    );
    model.sharedModel.getCell(0).setSource('precious');
    await expect(context.revert()).rejects.toThrow('away');
    await session.flush();
    expect(session.place).toBe('server');
    expect(server.ended).toEqual([]);
  });

  it('makes no draft of what a kernel says of itself', async () => {
    const { model, server, session } = opened(book(code('one')));
    model.sharedModel.setMetadata('kernelspec', {
      name: 'python3',
      display_name: 'Python 3'
    });
    await session.flush();
    expect(only(server.drafts)).toEqual([]);
    session.dispose();
  });
});

/** What a server that read the file anew does to the page: the first cell says this. */
function overrule(
  model: NotebookModel,
  text: string,
  origin: unknown = 'the server'
): void {
  const { ydoc } = model.sharedModel as unknown as { ydoc: Y.Doc };
  const there = new Y.Doc();
  Y.applyUpdate(there, Y.encodeStateAsUpdate(ydoc));
  const cells = there.getArray<Y.Map<unknown>>('cells');
  const source = cells.get(0).get('source') as Y.Text;
  source.delete(0, source.length);
  source.insert(0, text);
  Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(there), origin);
}

describe('DraftSession of a shared notebook', () => {
  it('keeps what a server that comes back undoes', async () => {
    const { model, server, shelf, session } = opened(book(code('one')), true);
    const left: string[] = [];
    session.partings?.left.connect((_, draft) => left.push(draft));
    server.failure = new TypeError('away');
    model.sharedModel.getCell(0).setSource('typed while away');
    await session.flush();
    expect(session.place).toBe('browser');
    server.failure = null;
    overrule(model, 'one');
    model.dirty = true;
    model.dirty = false;
    await session.flush();
    expect(model.sharedModel.getCell(0).getSource()).toBe('one');
    await session.partings?.look();
    expect(left).toEqual(['draft-1']);
    const doc = server.drafts.get('draft-1')?.doc;
    expect(doc?.getMap('cells').toJSON()).toEqual({
      '0': { source: 'typed while away' }
    });
    expect(only(shelf.kept)).toEqual([]);
    session.dispose();
  });

  it('keeps what is undone after the draft was handed over', async () => {
    const { model, server, session } = opened(book(code('one')), true);
    const left: string[] = [];
    session.partings?.left.connect((_, draft) => left.push(draft));
    server.failure = new TypeError('away');
    model.sharedModel.getCell(0).setSource('typed while away');
    await session.flush();
    server.failure = null;
    await session.flush();
    expect(session.place).toBe('server');
    overrule(model, 'one');
    model.dirty = true;
    model.dirty = false;
    await session.flush();
    await session.partings?.look();
    expect(left).toEqual(['draft-1']);
    expect(only(server.drafts)).toEqual(['draft-1']);
    expect(server.told.cells).toEqual({ '0': 'typed while away' });
    session.dispose();
  });

  it('keeps what a server undoes that nobody saw go', async () => {
    const { model, server, session } = opened(book(code('one')), true);
    const left: string[] = [];
    session.partings?.left.connect((_, draft) => left.push(draft));
    model.sharedModel.getCell(0).setSource('typed just then');
    overrule(model, 'one', { synced: false });
    model.dirty = true;
    model.dirty = false;
    await session.flush();
    await session.partings?.look();
    expect(left).toEqual(['draft-1']);
    expect(server.told.cells).toEqual({ '0': 'typed just then' });
    session.dispose();
  });

  it('leaves what its server let go of to be offered, as nobody gave it up', async () => {
    const { model, server, session } = opened(book(code('one')), true);
    model.sharedModel.getCell(0).setSource('typed just then');
    model.sharedModel.dispose();
    session.dispose();
    await session.done;
    expect(server.told.cells).toEqual({ '0': 'typed just then' });
    expect(server.ended).toEqual([]);
    const closed = opened(book(code('one')), true);
    closed.model.sharedModel.getCell(0).setSource('typed just then');
    await closed.session.flush();
    closed.session.dispose();
    await closed.session.done;
    expect(closed.server.ended).toEqual(['draft-1 closed']);
  });

  it('forgets what stands in the notebook once it is saved', async () => {
    const { model, server, shelf, session } = opened(
      book(code('one'), code('two')),
      true
    );
    const left: string[] = [];
    session.partings?.left.connect((_, draft) => left.push(draft));
    server.failure = new TypeError('away');
    model.sharedModel.getCell(1).setSource('typed while away');
    await session.flush();
    server.failure = null;
    overrule(model, 'by somebody else');
    model.dirty = true;
    await session.partings?.look();
    expect(only(shelf.kept)).toEqual(['draft-1']);
    model.dirty = false;
    await session.partings?.look();
    await session.flush();
    expect(only(shelf.kept)).toEqual([]);
    expect(only(server.drafts)).toEqual([]);
    expect(left).toEqual([]);
    session.dispose();
  });

  it('takes no part while the server is there', async () => {
    const { model, server, session } = opened(book(code('one')), true);
    model.sharedModel.getCell(0).setSource('typed');
    await session.flush();
    overrule(model, 'typed by another');
    await session.flush();
    expect(only(server.drafts)).toEqual(['draft-1']);
    expect(server.told.cells).toEqual({ '0': 'typed by another' });
    session.dispose();
  });
});
