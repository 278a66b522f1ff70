import { nullTranslator } from '@jupyterlab/translation';

import { sizeWords } from '../models/sizes';
import type { Checkpoint, Execution } from '../tokens';
import {
  countWords,
  dayWords,
  durationWords,
  endWords
} from '../widgets/historywords';
import { rowAt } from '../widgets/windowed';

const trans = nullTranslator.load('jupyter_rewind');

describe('rowAt', () => {
  it('finds the row that covers a height', () => {
    const edges = [0, 10, 30, 60];
    expect([0, 9, 10, 29, 30, 59].map(y => rowAt(edges, y))).toEqual([
      0, 0, 1, 1, 2, 2
    ]);
  });

  it('is the first or the last row beyond the list', () => {
    expect([rowAt([0, 10, 30], -5), rowAt([0, 10, 30], 99)]).toEqual([0, 1]);
    expect(rowAt([0], 0)).toBe(0);
  });
});

describe('the words of a history', () => {
  it('tell how long something took', () => {
    const spans = [0.4, 12, 999, 1000, 59_900, 61_000, 3_720_000];
    expect(spans.map(durationWords)).toEqual([
      '0 ms',
      '12 ms',
      '999 ms',
      '1.0 s',
      '59.9 s',
      '1 min 1 s',
      '1 h 2 min'
    ]);
  });

  it('tell how large something is', () => {
    const sizes = [0, 999, 1000, 99_949, 123_456, 5e9];
    expect(sizes.map(sizeWords)).toEqual([
      '0 bytes',
      '999 bytes',
      '1.0 KB',
      '99.9 KB',
      '123 KB',
      '5.0 GB'
    ]);
  });

  it('tell how a run ended', () => {
    const end = (told: Partial<Execution>) =>
      endWords({ running: false, error: '', ...told } as Execution, trans);
    expect(end({ status: 'ok' })).toBe('');
    expect(end({ status: 'error', error: 'KeyError' })).toBe(
      'failed: KeyError'
    );
    expect(end({ status: 'running', running: true })).toBe('running');
    expect(end({ status: 'running' })).toBe('never ended');
  });

  it('tell what changed, and nothing where nothing did', () => {
    const words = (added: number, changed: number, removed: number) =>
      countWords({ counts: { added, changed, removed } } as Checkpoint, trans);
    expect(words(1, 0, 2)).toBe('1 cell added, 2 cells removed');
    expect(words(0, 0, 0)).toBe('');
  });

  it('do not call the cells of the first state added', () => {
    const counts = { added: 4, changed: 0, removed: 0 };
    const first = { parent: null, counts } as Checkpoint;
    expect(countWords(first, trans)).toBe('4 cells');
  });

  it('call the last two days by their names', () => {
    const now = new Date(2026, 10, 20, 0, 30);
    const at = (day: number) => new Date(2026, 10, day, 23).getTime();
    expect(dayWords(at(20), trans, now)).toBe('Today');
    expect(dayWords(at(19), trans, now)).toBe('Yesterday');
    expect(dayWords(at(18), trans, now)).toContain('2026');
  });
});
