import { nullTranslator } from '@jupyterlab/translation';

import { DraftKeeper } from '../models/draftkeeper';
import type { DraftShelf } from '../models/draftshelf';
import { Windows } from '../models/windows';
import type { IRewindClient } from '../tokens';
import { book, code } from './books';
import { contextOf, Server, Shelf } from './drafting';
import { whyOf } from '../widgets/why';

/** A notebook that is open in a page of its own. */
function page(root = '') {
  const server = new Server();
  const shelf = new Shelf();
  const client = {
    beginDraft: server.beginDraft.bind(server),
    appendDraft: server.appendDraft.bind(server),
    endDraft: server.endDraft.bind(server),
    discardDraft: server.discardDraft.bind(server),
    drafts: async () =>
      [...server.drafts.keys()].map(draft => ({
        draft,
        unsaved: true,
        ended: server.ended.includes(`${draft} closed`) ? 'closed' : ''
      }))
  } as unknown as IRewindClient;
  const keeper = new DraftKeeper(
    client,
    shelf as unknown as DraftShelf,
    new Windows(undefined),
    'http://here/',
    root
  );
  const { model, context } = contextOf(book(code('one')));
  const session = keeper.follow(Object.assign(context, { path: 'a.ipynb' }));
  return { server, shelf, keeper, session, model };
}

/** The same, with edits that this browser alone keeps. */
async function pageAlone(root = '') {
  const opened = page(root);
  opened.server.failure = new TypeError('away');
  opened.model.sharedModel.getCell(0).setSource('offline');
  await opened.session.flush();
  expect(opened.shelf.kept.size).toBe(1);
  return opened;
}

describe('DraftKeeper', () => {
  it('finds what a notebook left in this browser that was closed in this page', async () => {
    const { server, shelf, keeper, session } = await pageAlone();
    keeper.unfollow(session);
    await session.done;
    expect(await keeper.carryOver()).toHaveLength(1);
    server.failure = null;
    expect(await keeper.carryOver()).toEqual([]);
    expect(shelf.kept.size).toBe(0);
    const left = await keeper.leftBehind('a.ipynb');
    // Whoever closed it without saving is not asked again.
    expect(left.map(each => each.ended)).toEqual(['closed']);
  });

  it('hands over what closed notebooks left as soon as the server is back', async () => {
    const { server, keeper, session } = await pageAlone();
    keeper.unfollow(session);
    await session.done;
    expect(await keeper.carryOver()).toHaveLength(1);
    server.failure = null;
    const begun = new Promise<void>(done =>
      jest.spyOn(server.drafts, 'set').mockImplementation(() => {
        done();
        return server.drafts;
      })
    );
    keeper.flush();
    await begun;
  });

  it('hands nothing over to another folder that is served at the same address', async () => {
    const { server, shelf, keeper, session } = await pageAlone('~/second');
    keeper.unfollow(session);
    await session.done;
    server.failure = null;
    const [[draft, kept]] = [...shelf.kept];
    shelf.kept.set(draft, { ...kept, root: '~/first' });
    const [refused] = await keeper.carryOver();
    expect(whyOf(refused.reason, nullTranslator.load(''))).toMatch(/~\/first/);
    expect([server.drafts.size, shelf.kept.size]).toEqual([0, 1]);
    shelf.kept.set(draft, { ...kept, root: '~/second' });
    expect(await keeper.carryOver()).toEqual([]);
    expect(server.drafts.size).toBe(1);
  });

  it('leaves what an open notebook keeps in this browser to that', async () => {
    const { server, shelf, keeper, session } = await pageAlone();
    server.failure = null;
    expect(await keeper.carryOver()).toEqual([]);
    expect(shelf.kept.size).toBe(1);
    expect(await keeper.leftBehind('a.ipynb')).toEqual([]);
    keeper.unfollow(session);
  });
});
