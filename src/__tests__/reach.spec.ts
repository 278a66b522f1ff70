import { Reach } from '../models/reach';

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
});
