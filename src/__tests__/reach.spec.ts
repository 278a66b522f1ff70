import { Reach, UNHEARD } from '../models/reach';

describe('Reach', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('asks only while the server is away, and tells when it is back', async () => {
    const answers = [false, false, true];
    let asked = 0;
    const reach = new Reach(async () => {
      if (!answers[asked++]) {
        throw new TypeError('Failed to fetch');
      }
    });
    const told: boolean[] = [];
    reach.changed.connect((_, isAway) => told.push(isAway));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked).toBe(0);
    reach.noteAbsence();
    reach.noteAbsence();
    expect(reach.isAway).toBe(true);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked).toBe(3);
    expect(told).toEqual([true, false]);
  });

  it('has looked again for what no event told until the page hears again', async () => {
    const reach = new Reach(() => Promise.resolve());
    let looked = 0;
    reach.missed.connect(() => (looked += 1));
    reach.noteAbsence();
    await jest.advanceTimersByTimeAsync(3500);
    expect(reach.isAway).toBe(false);
    expect(looked).toBe(1);
    await jest.advanceTimersByTimeAsync(120_000);
    expect(looked).toBe(UNHEARD.length);
  });

  it('looks for nothing while the server is away again', async () => {
    let isThere = true;
    const reach = new Reach(() =>
      isThere ? Promise.resolve() : Promise.reject(new TypeError())
    );
    let looked = 0;
    reach.missed.connect(() => (looked += 1));
    reach.noteAbsence();
    await jest.advanceTimersByTimeAsync(3500);
    isThere = false;
    reach.noteAbsence();
    await jest.advanceTimersByTimeAsync(120_000);
    expect(looked).toBe(1);
    reach.dispose();
  });
});
