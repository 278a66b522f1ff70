import type { INotebookContent } from '@jupyterlab/nbformat';

import { type IReturnPlace, putBack } from '../models/draftreturn';
import type { Draft, DraftNotebook, IDifference } from '../tokens';
import { book, type Json } from './books';

/** A notebook whose cells are called and say this; `a=b` says b in cell a. */
function said(words: string): INotebookContent {
  const cells = words.split(' ').map(word => {
    const [id, source = id] = word.split('=');
    return { cell_type: 'markdown', id, metadata: {}, source } as Json;
  });
  return book(...cells);
}

const words = ({ cells }: INotebookContent) =>
  cells.map(({ id, source }) => `${String(id)}=${String(source)}`).join(' ');

/** An open notebook with a file. */
class Place implements IReturnPlace {
  constructor(readonly content: string) {
    this.now = this.file = content;
  }

  readonly path = 'analysis.ipynb';
  file: string;
  isGone = false;
  now: string;
  save = async () => {
    this.file = this.now;
  };

  get isDirty(): boolean {
    return this.now !== this.file;
  }

  read(): INotebookContent {
    return said(this.now);
  }

  put(content: INotebookContent): void {
    this.now = words(content);
  }
}

/** Puts a draft into a notebook of the cells a, b and c, all of which the file has. */
function returned(place: Place, draft: string) {
  const base = place.content;
  const client = {
    draft: async () =>
      ({ notebook: said(draft), lost: 0 }) as unknown as DraftNotebook,
    history: async () => ({ checkpoints: [{ id: 'base' }] }),
    difference: async () =>
      ({ differs: place.file !== base, notebook: said(base) }) as IDifference
  };
  const told = { draft: 'd', checkpoint: 'base' } as Draft;
  return putBack(client as never, told, place);
}

const BASE = 'a=a b=b c=c';

describe('edits that are brought back', () => {
  it('leave what was typed since the notebook was opened, and have it saved first', async () => {
    const place = new Place(BASE);
    place.now = 'a=typed b=b c=c';
    const done = await returned(place, 'a=a b=b c=kept');
    expect(place.file).toBe('a=typed b=b c=c');
    expect(place.now).toBe('a=typed b=b c=kept');
    expect(done).toMatchObject({ both: 0, isOld: false, isDamaged: false });
  });

  it('save nothing where nothing was typed', async () => {
    const place = new Place(BASE);
    await returned(place, 'a=a b=b c=kept');
    expect([place.file, place.now]).toEqual([BASE, 'a=a b=b c=kept']);
  });

  it('are not put in where what stands there cannot be saved', async () => {
    const place = new Place(BASE);
    place.now = 'a=typed b=b c=c';
    place.save = () => Promise.reject(new Error('full'));
    await expect(returned(place, 'a=a b=b c=kept')).rejects.toThrow('full');
    expect(place.now).toBe('a=typed b=b c=c');
  });

  it('are taken out again without what was typed since', async () => {
    const place = new Place(BASE);
    const done = await returned(place, 'a=a b=b c=kept');
    place.now = 'a=a b=later c=kept';
    expect(done?.takeOut()).toBe(true);
    expect(place.now).toBe('a=a b=later c=c');
  });

  it('stay where cells were moved since', async () => {
    const place = new Place(BASE);
    const done = await returned(place, 'a=a b=b c=kept');
    place.now = 'b=b a=a c=kept';
    expect(done?.takeOut()).toBe(false);
    expect(place.now).toBe('b=b a=a c=kept');
  });

  it('go nowhere where the notebook was closed meanwhile', async () => {
    const place = new Place(BASE);
    place.isGone = true;
    expect(await returned(place, 'a=a b=b c=kept')).toBeNull();
    expect(place.now).toBe(BASE);
  });
});
