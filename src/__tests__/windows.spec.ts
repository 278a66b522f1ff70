import {
  browserName,
  isForeign,
  offeredIn,
  passOver,
  passedOver
} from '../models/windows';

const NOW = Date.parse('2026-11-22T14:02:00Z');

function written(browser: string, secondsAgo: number) {
  const changed = new Date(NOW - 1000 * secondsAgo).toISOString();
  return { draft: `of ${browser} ${secondsAgo}`, browser, changed };
}

describe('a draft of another browser', () => {
  it('is offered once nobody types into it any more, and not again once passed over', () => {
    const theirs = written('elsewhere', 10);
    expect(isForeign(theirs)).toBe(true);
    expect(offeredIn(theirs, NOW)).toBe(20_000);
    expect(offeredIn(written('elsewhere', 60), NOW)).toBe(0);
    expect(offeredIn(written('elsewhere', -3600), NOW)).toBe(0);
    passOver(theirs.draft);
    expect(offeredIn(theirs, NOW + 60_000)).toBe(Infinity);
  });

  it('is not one of this browser, which is offered at once', () => {
    const mine = written(browserName(), 0);
    expect(isForeign(mine)).toBe(false);
    expect(offeredIn(mine, NOW)).toBe(0);
  });

  it('is remembered as passed over with the latest others alone', () => {
    for (let number = 0; number < 300; number++) {
      passOver(`draft-${number}`);
    }
    passOver('draft-299');
    expect(passedOver()).toHaveLength(200);
    expect(passedOver()[199]).toBe('draft-299');
  });
});
