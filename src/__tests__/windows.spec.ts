import {
  Windows,
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

describe('pages without locks, as over plain http', () => {
  /** A page that hears all others of its browser. */
  function page(all: Set<EventTarget>) {
    const target = new EventTarget();
    all.add(target);
    const postMessage = (data: unknown) =>
      setTimeout(() =>
        all.forEach(
          each =>
            each === target ||
            each.dispatchEvent(new MessageEvent('message', { data }))
        )
      );
    const channel = Object.assign(target, { postMessage });
    const close = () => all.delete(target);
    const windows = new Windows(
      undefined,
      channel as unknown as BroadcastChannel
    );
    return { windows, close };
  }

  it('tell what another one writes from what was left behind', async () => {
    const all = new Set<EventTarget>();
    const [one, two, three] = [page(all), page(all), page(all)];
    const [mine, theirs, left] = [one, two, three].map(({ windows }) =>
      windows.newDraft()
    );
    three.close();
    const alive = await one.windows.alive([mine, theirs, left]);
    expect(alive).toEqual(new Set([mine, theirs]));
    // A page that was open once need not be so any more.
    two.close();
    expect(await one.windows.alive([mine, theirs])).toEqual(new Set([mine]));
  });
});
