import { nullTranslator } from '@jupyterlab/translation';

import type { HistoryEntry } from '../models/entries';
import { filterWords, reasonWords } from '../widgets/historywords';

const trans = nullTranslator.load('');

/** A checkpoint of a moment where the user is. */
function entryOf(when: Date): HistoryEntry {
  const checkpoint = { reason: 'save', labels: ['good'], note: 'a secret' };
  const entry = { kind: 'checkpoint', time: when.getTime(), checkpoint };
  return entry as unknown as HistoryEntry;
}

describe('filterWords', () => {
  it('finds a day as it is written anywhere, and by the day of its heading', () => {
    const heading = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
    // The first and the last minute of a day: in one of them it is another day in UTC, but at 0.
    for (const when of [
      new Date(2026, 10, 22, 0, 1),
      new Date(2026, 10, 22, 23, 59)
    ]) {
      const words = filterWords(entryOf(when), trans);
      expect(words).toContain(when.toLocaleDateString());
      expect(words).toContain('2026-11-22');
      expect(words).toContain(heading.format(when));
    }
  });

  it('finds nothing by what is not shown', () => {
    const words = filterWords(entryOf(new Date()), trans);
    expect(words).toContain('good');
    expect(words).not.toContain('secret');
  });
});

describe('reasonWords', () => {
  it('does not call the first state of a file changed or saved', () => {
    const words = (
      reason: 'external-change' | 'autosave' | 'manual',
      parent: string | null
    ) => reasonWords({ reason, parent }, trans);
    expect(words('external-change', null)).toBe('As it was found');
    expect(words('external-change', 'earlier')).toBe('Changed outside Jupyter');
    expect(words('autosave', null)).toBe('As it was found');
    expect(words('autosave', 'earlier')).toBe('Saved by itself');
    expect(words('manual', null)).toBe('Saved by hand');
  });
});
