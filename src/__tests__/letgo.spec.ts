import { DraftKeeper } from '../models/draftkeeper';
import type { DraftShelf } from '../models/draftshelf';
import type { Windows } from '../models/windows';
import type { IRewindClient } from '../tokens';
import { book, code } from './books';
import { opened } from './drafting';

/** A notebook with the edits of an earlier page's draft in it again. */
async function restored() {
  const { model, context, saveState, server, session } = opened(
    book(code('one'))
  );
  session.dispose();
  const update = new Uint8Array([0, 0]);
  await server.beginDraft('a.ipynb', 'earlier', null, null, update);
  const keeper = new DraftKeeper(
    server as unknown as IRewindClient,
    {} as DraftShelf,
    {} as Windows,
    'http://here/'
  );
  const save = () => {
    saveState.emit('started');
    saveState.emit('completed');
    model.dispose();
  };
  return { context, keeper, save, server };
}

describe('a draft that was restored', () => {
  it('is still there for whoever takes the edits out again before a save', async () => {
    const { context, keeper, save, server } = await restored();
    const takeBack = await keeper.letGo(context, 'earlier');
    expect(takeBack?.()).toBe(true);
    save();
    expect([...server.drafts.keys()]).toEqual(['earlier']);
  });

  it('is told as gone with a save', async () => {
    const { context, keeper, save, server } = await restored();
    const takeBack = await keeper.letGo(context, 'earlier');
    save();
    expect([...server.drafts.keys()]).toEqual([]);
    expect(takeBack?.()).toBe(false);
  });

  it('stays as it was where the server does not hear of it', async () => {
    const { context, keeper, save, server } = await restored();
    server.endDraft = () => Promise.reject(new TypeError('away'));
    expect(await keeper.letGo(context, 'earlier')).toBeNull();
    save();
    expect([...server.drafts.keys()]).toEqual(['earlier']);
  });
});
