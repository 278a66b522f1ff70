import type { IFileFacts } from '../models/saving';
import { opened, settle } from './savable';

describe('Saving that looks at the file', () => {
  it('says that the file holds something else, until it was saved or read', async () => {
    let found: IFileFacts | null = { hash: 'v1' };
    const { document, saving } = await opened(undefined, async () => found);
    const looked = async () => {
      await saving.look();
      return saving.standing;
    };
    expect(await looked()).toBe('saved');
    found = { hash: 'v2' };
    expect(await looked()).toBe('changed');
    expect(saving.isDue).toBe(false);
    await document.revert();
    await settle();
    expect(saving.standing).toBe('saved');
    found = null;
    expect(await looked()).toBe('gone');
    await document.save();
    await settle();
    expect(saving.standing).toBe('saved');
    document.contentsModel.hash = '';
    document.contentsModel.last_modified = '2026-11-22T14:02:00Z';
    found = { last_modified: '2026-11-22T14:02:00.300Z' };
    expect(await looked()).toBe('saved');
    found = { last_modified: '2026-11-22T14:02:01Z' };
    expect(await looked()).toBe('changed');
  });

  it('takes no answer of before a save for one of after it', async () => {
    let answer: (found: IFileFacts) => void = () => undefined;
    const { document, saving } = await opened(
      undefined,
      () => new Promise(resolve => (answer = resolve))
    );
    const looked = saving.look();
    document.edit('a');
    await document.save();
    answer({ hash: 'v2' });
    await looked;
    await settle();
    expect(saving.standing).toBe('saved');
  });

  it('does not call a file changed where nobody says what it is', async () => {
    const { saving } = await opened(undefined, () =>
      Promise.reject(new TypeError('Failed to fetch'))
    );
    await saving.look();
    expect(saving.standing).toBe('saved');
  });
});
