import { type Choice, type Condition, DamageOffer } from '../models/damage';
import { RewindError } from '../requests';
import type { History, IRewindClient } from '../tokens';

const EMPTY: Condition = {
  state: 'empty',
  words: 'a.ipynb is empty.',
  last_good: '0123456789abcdef'
};

/** A server that tells this of every file; what was restored there. */
function serverThatTells(condition: Condition | RewindError) {
  const restored: string[] = [];
  const client = {
    history: () =>
      condition instanceof RewindError
        ? Promise.reject(condition)
        : Promise.resolve({ condition } as History),
    restore: (_: string, ref: string) => {
      restored.push(ref);
      return Promise.resolve();
    }
  } as unknown as IRewindClient;
  return { client, restored };
}

describe('DamageOffer', () => {
  it('says nothing where the file is whole', async () => {
    const { client } = serverThatTells({ ...EMPTY, state: 'ok' });
    const asked = jest.fn();
    expect(await new DamageOffer(client, asked).offer('a.ipynb')).toBe('leave');
    expect(asked).not.toHaveBeenCalled();
  });

  it('brings the last good state back when that is chosen', async () => {
    const { client, restored } = serverThatTells(EMPTY);
    const ask = () => Promise.resolve<Choice>('restore');
    expect(await new DamageOffer(client, ask).offer('a.ipynb')).toBe('restore');
    expect(restored).toEqual([EMPTY.last_good]);
  });

  it('asks once, however often the file is asked for meanwhile', async () => {
    const { client, restored } = serverThatTells(EMPTY);
    const ask = jest.fn(() => Promise.resolve<Choice>('restore'));
    const offers = new DamageOffer(client, ask);
    await Promise.all([offers.offer('a.ipynb'), offers.offer('a.ipynb')]);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(restored).toHaveLength(1);
  });

  it('asks, too, where nothing is kept of the file', async () => {
    const { client } = serverThatTells(new RewindError('no', 404, 'NotFound'));
    const ask = jest.fn(() => Promise.resolve<Choice>('recover'));
    expect(await new DamageOffer(client, ask).offer('a.ipynb')).toBe('recover');
    expect(ask).toHaveBeenCalledWith('a.ipynb', null);
  });

  it('passes on what else fails', async () => {
    const failure = new RewindError('full', 507, 'Full');
    const { client } = serverThatTells(failure);
    const ask = jest.fn();
    await expect(new DamageOffer(client, ask).offer('a.ipynb')).rejects.toBe(
      failure
    );
  });
});
