import type { INotebookContent } from '@jupyterlab/nbformat';

import { basisOf, merged, takenOut, withEdits } from '../models/draftmerge';
import type { Draft, IRewindClient } from '../tokens';
import { book, type Json } from './books';

/** A notebook whose cells are called and say this; `a=b` says b in cell a. */
function said(words: string, minor = 5): INotebookContent {
  const cells = words.split(' ').map(word => {
    const [id, source = id] = word.split('=');
    const cell = { cell_type: 'markdown', metadata: {}, source };
    return (minor < 5 ? cell : { ...cell, id }) as Json;
  });
  return { ...book(...cells), nbformat_minor: minor };
}

const sources = (content?: INotebookContent) =>
  content?.cells.map(cell => cell.source).join(' ');

describe('withEdits', () => {
  const done = (base: string, draft: string, present: string) => {
    const found = withEdits(said(base), said(draft), said(present));
    return found && `${sources(found.content)} ${found.both}`;
  };

  it('leaves what was saved since in the cells that a draft does not touch', () => {
    expect(done('a b c', 'a b c=mine', 'a b=saved c')).toBe('a saved mine 0');
    expect(done('a b c', 'a b c x', 'y a b=saved c')).toBe('y a saved c x 0');
    expect(done('a b', 'x a b', 'b a')).toBe('x b a 0');
    expect(done('a b c', 'a c', 'a b c=saved')).toBe('a saved 0');
    expect(done('a b c', 'a=mine b c', 'a c')).toBe('mine c 0');
  });

  it('counts the cells that both changed, and loses none', () => {
    expect(done('a b', 'a=mine b', 'a=saved b')).toBe('mine b 1');
    expect(done('a b', 'a=same b', 'a=same b')).toBe('same b 0');
    expect(done('a b', 'b', 'a=saved b')).toBe('saved b 1');
    expect(done('a b', 'a b=mine', 'a')).toBe('a mine 1');
  });

  it('goes by places where cells have no ids and none came or went', () => {
    const old = (words: string) => said(words, 4);
    const found = withEdits(old('a b'), old('a mine'), old('saved b'));
    expect(sources(found?.content)).toBe('saved mine');
    expect(withEdits(old('a b'), old('a x b'), old('saved b'))).toBeNull();
  });

  it('does not guess where cells were moved', () => {
    expect(done('a b', 'b a', 'a b=saved')).toBeNull();
  });

  it('takes the metadata of the draft where that changed them', () => {
    const [base, draft, present] = [said('a'), said('a'), said('a')];
    present.metadata = { saved: true } as never;
    const metadata = () => withEdits(base, draft, present)?.content.metadata;
    expect(metadata()).toEqual({ saved: true });
    draft.metadata = { mine: true } as never;
    expect(metadata()).toEqual({ mine: true });
  });
});

describe('takenOut', () => {
  it('leaves what was edited since, also in a cell that came back', () => {
    const rest = (now: string) => {
      const found = takenOut(said('a b'), said('a b=mine'), said(now));
      return found && sources(found);
    };
    expect(rest('a b=mine')).toBe('a b');
    expect(rest('a=later b=mine')).toBe('later b');
    expect(rest('a b=mine!')).toBe('a mine!');
    expect(rest('a b=mine c')).toBe('a b c');
    expect(rest('b=mine a')).toBeNull();
  });
});

describe('a draft that is restored', () => {
  const NEWEST = { id: '2', time: '2026-11-22T14:02:00Z' };
  const asked = (draft: Partial<Draft>, difference?: unknown) =>
    basisOf(
      {
        history: async () => ({ checkpoints: [NEWEST] }),
        difference: async () =>
          difference ?? Promise.reject(new Error('expired'))
      } as unknown as IRewindClient,
      'a.ipynb',
      draft as Draft
    );
  const put = async (draft: Partial<Draft>, difference?: unknown) => {
    const basis = await asked(draft, difference);
    const found = merged(basis, said('a b=mine'), said('a=saved b'));
    return `${sources(found.content)} ${found.isOld}`;
  };

  it('is put in as it is where the file is what it is an edit of', async () => {
    expect(await put({ checkpoint: '2' })).toBe('a mine false');
    const same = { differs: false, notebook: said('a b') };
    expect(await put({ checkpoint: '1' }, same)).toBe('a mine false');
  });

  it('leaves in what was saved since, and says where it cannot', async () => {
    const saved = { differs: true, notebook: said('a b') };
    expect(await put({ checkpoint: '1' }, saved)).toBe('saved mine false');
    expect(await put({ checkpoint: '1' })).toBe('a mine true');
    const begun = (time: string) => put({ checkpoint: null, begun: time });
    expect(await begun('2026-11-22T14:00:00Z')).toBe('a mine true');
    expect(await begun('2026-11-22T14:03:00Z')).toBe('a mine false');
  });
});
