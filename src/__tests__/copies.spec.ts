import { nullTranslator } from '@jupyterlab/translation';

import { Copies } from '../models/copies';
import type { Health } from '../tokens';
import { copiesWords } from '../widgets/copies';

type Replica = Health['replicas'][number];

const trans = nullTranslator.load('');
const store = { path: '/store', open: true, error: null };

function replica(more: Partial<Replica>): Replica {
  return {
    url: 's3://bucket/me',
    state: 'current',
    behind_seconds: 0,
    behind_bytes: 0,
    behind_records: 0,
    oldest: null,
    pushed: null,
    error: null,
    mend: '',
    ...more
  };
}

describe('copiesWords', () => {
  it('says nothing where there is no replica and no quota', () => {
    expect(copiesWords({ store, replicas: [], quota: null }, trans)).toBeNull();
  });

  it('says before all else that nothing is kept, why, and what to do', () => {
    const error = {
      code: 'full',
      message: 'The disk is full.',
      hint: 'Free some space.',
      retryable: true
    } as const;
    const words = copiesWords(
      { store: { ...store, error }, replicas: [replica({})], quota: null },
      trans
    );
    expect(words).toMatchObject({ short: 'History not kept', isBad: true });
    expect(words?.long).toContain('The disk is full. Free some space.');
  });

  it('says nothing of a quota that is kept', () => {
    const quota = { state: 'within', limit_bytes: 10, used_bytes: 1 } as const;
    expect(copiesWords({ store, replicas: [], quota }, trans)).toBeNull();
  });

  it('says that everything is there', () => {
    const words = copiesWords(
      { store, replicas: [replica({})], quota: null },
      trans
    );
    expect(words).toMatchObject({ short: 'Copied', isBad: false });
    expect(words?.long).toContain('s3://bucket/me has everything');
  });

  it('says how far behind each is, in records, bytes and seconds', () => {
    const late = replica({
      url: 'file:///mnt',
      state: 'behind',
      behind_bytes: 2_500_000,
      behind_records: 12,
      behind_seconds: 61.4
    });
    const words = copiesWords(
      { store, replicas: [replica({}), late], quota: null },
      trans
    );
    expect(words).toMatchObject({ short: 'Copying: 12 to go', isBad: false });
    expect(words?.long).toMatch(
      /s3:\/\/bucket\/me has everything\. file:\/\/\/mnt lacks 12 records, 2\.5 MB, .* from 1 min 1 s ago/
    );
  });

  it('says why one fails, and what helps', () => {
    const error = {
      code: 'denied',
      message: 'Refused.',
      hint: '',
      retryable: false
    };
    const failing = replica({
      state: 'failing',
      behind_bytes: 5,
      error,
      mend: 'do this'
    });
    const words = copiesWords(
      { store, replicas: [failing], quota: null },
      trans
    );
    expect(words).toMatchObject({ short: 'Not copied', isBad: true });
    expect(words?.long).toMatch(/lacks .* Refused\. This helps: do this/);
  });

  it('says that one fails which lacks nothing yet', () => {
    const failing = replica({ state: 'failing', behind_bytes: 0 });
    const words = copiesWords(
      { store, replicas: [failing], quota: null },
      trans
    );
    expect(words).toMatchObject({ short: 'Not copied', isBad: true });
    expect(words?.long).toMatch(
      /^Nothing waits for .*, but copying there fails/
    );
  });

  it('warns of a quota that is nearly used', () => {
    const quota = {
      state: 'near',
      limit_bytes: 20e9,
      used_bytes: 19e9
    } as const;
    const words = copiesWords({ store, replicas: [replica({})], quota }, trans);
    expect(words).toMatchObject({ short: 'Store nearly full', isBad: true });
    expect(words?.long).toContain('19.0 GB of the store’s quota of 20.0 GB');
  });
});

describe('Copies', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('asks from time to time, and only while somebody looks', async () => {
    let asked = 0;
    let isSeen = true;
    const health = { replicas: [], quota: null } as unknown as Health;
    const copies = new Copies(
      () => {
        asked += 1;
        return Promise.resolve(health);
      },
      () => isSeen
    );
    await copies.look();
    expect([asked, copies.health]).toEqual([1, health]);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(asked).toBe(2);
    isSeen = false;
    await jest.advanceTimersByTimeAsync(90_000);
    expect(asked).toBe(2);
    copies.dispose();
    await jest.advanceTimersByTimeAsync(90_000);
    expect(asked).toBe(2);
  });

  it('asks rarely where all is well and nothing is copied', async () => {
    const asked = async (health: Partial<Health>) => {
      const ask = jest.fn(async () => health as Health);
      const copies = new Copies(ask, () => true);
      await copies.look();
      await jest.advanceTimersByTimeAsync(299_000);
      copies.dispose();
      return ask.mock.calls.length;
    };
    expect(await asked({ state: 'ok', replicas: [] })).toBe(1);
    expect(await asked({ state: 'ok', replicas: [replica({})] })).toBe(10);
    expect(await asked({ state: 'failing', replicas: [] })).toBe(10);
  });

  it('drops an answer that a later question has overtaken', async () => {
    const answers: ((health: Health) => void)[] = [];
    const copies = new Copies(
      () => new Promise(answer => answers.push(answer)),
      () => true
    );
    const [before, now] = [{}, {}] as Health[];
    const looks = [copies.look(), copies.look()];
    answers[1](now);
    await looks[1];
    answers[0](before);
    await looks[0];
    expect(copies.health).toBe(now);
    copies.dispose();
  });

  it('keeps what it knew where no answer comes, and asks again', async () => {
    let fails = false;
    const health = { replicas: [], quota: null } as unknown as Health;
    const copies = new Copies(
      () =>
        fails ? Promise.reject(new Error('away')) : Promise.resolve(health),
      () => true
    );
    await copies.look();
    fails = true;
    await jest.advanceTimersByTimeAsync(30_000);
    expect(copies.health).toBe(health);
    let changes = 0;
    copies.changed.connect(() => (changes += 1));
    fails = false;
    await jest.advanceTimersByTimeAsync(30_000);
    expect(changes).toBe(1);
    copies.dispose();
  });
});
