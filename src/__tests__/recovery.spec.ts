import { RecoveryModel, standingsIn } from '../models/recovery';
import type { Found, IRecovered, IRewindClient, Overview } from '../tokens';

const FOUND: Found = {
  path: '',
  notebooks: [],
  loose: [],
  problems: [],
  places: []
};

function clientWith(parts: Partial<IRewindClient>): IRewindClient {
  return {
    traces: () => Promise.resolve(FOUND),
    deleted: () => Promise.resolve({ deleted: [], incomplete: [] }),
    ...parts
  } as IRewindClient;
}

describe('RecoveryModel', () => {
  it('shows the deleted files of the folder alone', async () => {
    const deleted = ['a/x.ipynb', 'ab/y.ipynb', 'z.ipynb'].map(
      path => ({ path }) as Overview
    );
    const model = new RecoveryModel(
      clientWith({
        deleted: () => Promise.resolve({ deleted, incomplete: [] })
      })
    );
    await model.look('a');
    expect(model.stage).toMatchObject({
      name: 'folder',
      survey: { deleted: [{ path: 'a/x.ipynb' }] }
    });
    await model.look('');
    expect(model.stage).toMatchObject({ survey: { deleted } });
  });

  it('shows a notebook that would be brought back', async () => {
    const recovered = { path: 'a/x.ipynb' } as IRecovered;
    const model = new RecoveryModel(
      clientWith({ previewRecovery: () => Promise.resolve(recovered) })
    );
    await model.look('a/x.ipynb');
    expect(model.stage).toEqual({
      name: 'notebook',
      path: 'a/x.ipynb',
      recovered
    });
    expect(model.folder).toBe('a');
  });

  it('says why nothing is shown', async () => {
    const model = new RecoveryModel(
      clientWith({ traces: () => Promise.reject(new Error('No right.')) })
    );
    await model.look('a');
    expect(model.stage).toEqual({
      name: 'failed',
      path: 'a',
      why: 'No right.'
    });
  });

  it('shows what was asked for last, whatever is answered last', async () => {
    let answer: (found: Found) => void = () => undefined;
    const model = new RecoveryModel(
      clientWith({
        traces: path =>
          path === 'slow'
            ? new Promise(resolve => (answer = resolve))
            : Promise.resolve(FOUND)
      })
    );
    const slow = model.look('slow');
    await model.look('fast');
    answer(FOUND);
    await slow;
    expect(model.stage.path).toBe('fast');
  });
});

describe('standingsIn', () => {
  it('leaves out what is deleted, not what has its name now', () => {
    const notebooks = [
      { path: 'gone.ipynb', state: 'missing' },
      { path: 'again.ipynb', state: 'damaged' },
      { path: 'never.ipynb', state: 'missing' }
    ] as Found['notebooks'];
    const deleted = ['gone.ipynb', 'again.ipynb'].map(
      path => ({ path }) as Overview
    );
    const found = { ...FOUND, notebooks };
    expect(standingsIn({ found, deleted, incomplete: [] })).toEqual(
      notebooks.slice(1)
    );
  });
});
