import type { TranslationBundle } from '@jupyterlab/translation';

import type { HistoryEntry } from '../models/entries';
import type { Checkpoint, Execution, Snapshot } from '../tokens';

// Made once: a formatter costs a thousand times as much as what it formats.
const moments = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium'
});
const clocks = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const numbers = new Intl.DateTimeFormat();

/** The day where the user is, which its heading names, too. */
function isoDay(when: Date): string {
  const parts = [when.getFullYear(), when.getMonth() + 1, when.getDate()];
  return parts.map(part => String(part).padStart(2, '0')).join('-');
}

/** The day and the time of a moment, in milliseconds since 1970. */
export const momentWords = (time: number): string => moments.format(time);

/** The time of day of a moment. */
export const clockWords = (time: number): string => clocks.format(time);

/** Why a checkpoint was made, in words. */
export function reasonWords(
  checkpoint: Pick<Checkpoint, 'reason' | 'parent'>,
  trans: TranslationBundle
): string {
  switch (checkpoint.reason) {
    case 'save':
      return trans.__('Saved');
    case 'autosave':
      // JupyterLab asks for one of a file that it opens and that has none: nobody has saved.
      return checkpoint.parent
        ? trans.__('Saved by itself')
        : trans.__('As it was found');
    case 'manual':
      return trans.__('Saved by hand');
    case 'before-restore':
      return trans.__('Before a restore');
    case 'before-delete':
      return trans.__('Before it was deleted');
    case 'external-change':
      // The first of all is no change: nothing was known of the file before.
      return checkpoint.parent
        ? trans.__('Changed outside Jupyter')
        : trans.__('As it was found');
    case 'restore':
      return trans.__('Restored');
    default:
      return trans.__('Taken over from elsewhere');
  }
}

/**
 * How many cells differ from the checkpoint before, in words; empty where none does. Of the first
 * one, how many it has.
 */
export function countWords(
  checkpoint: Checkpoint,
  trans: TranslationBundle
): string {
  const { added, changed, removed } = checkpoint.counts;
  if (checkpoint.parent === null && added && !changed && !removed) {
    return trans._n('%1 cell', '%1 cells', added);
  }
  const parts: string[] = [];
  if (added) {
    parts.push(trans._n('%1 cell added', '%1 cells added', added));
  }
  if (changed) {
    parts.push(trans._n('%1 cell changed', '%1 cells changed', changed));
  }
  if (removed) {
    parts.push(trans._n('%1 cell removed', '%1 cells removed', removed));
  }
  return parts.join(', ');
}

/** How an execution ended, in words; empty where it went well. */
export function endWords(
  { status, running, error }: Execution,
  trans: TranslationBundle
): string {
  if (running) {
    return trans.__('running');
  }
  switch (status) {
    case 'ok':
      return '';
    case 'interrupted':
      return trans.__('interrupted');
    case 'error':
      return error ? trans.__('failed: %1', error) : trans.__('failed');
    default:
      return trans.__('never ended');
  }
}

/** What a state is the state of, in words. */
export function stateWords(state: Snapshot, trans: TranslationBundle): string {
  return state.count
    ? trans.__('State after [%1]', String(state.count))
    : trans.__('State kept between two cells');
}

/** How long something took, in words. */
export function durationWords(milliseconds: number): string {
  if (milliseconds < 999.5) {
    return `${Math.round(milliseconds)} ms`;
  }
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const minutes = Math.floor(Math.round(seconds) / 60);
  const rest = Math.round(seconds) % 60;
  return minutes < 60
    ? `${minutes} min ${rest} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** All that a filter looks into. */
export function filterWords(
  entry: HistoryEntry,
  trans: TranslationBundle
): string {
  // As it stands in the list, above it, in notifications, and as it is sorted.
  const when = [
    momentWords(entry.time),
    dayWords(entry.time, trans),
    dates.format(entry.time),
    numbers.format(entry.time),
    isoDay(new Date(entry.time))
  ];
  switch (entry.kind) {
    case 'checkpoint': {
      const { labels } = entry.checkpoint;
      const reason = reasonWords(entry.checkpoint, trans);
      return [reason, ...labels, ...when].join(' ');
    }
    case 'execution': {
      const { count, line } = entry.execution;
      const end = endWords(entry.execution, trans);
      return [`[${count}]`, line, end, ...when].join(' ');
    }
    case 'state':
      return [
        stateWords(entry.state, trans),
        ...entry.state.labels,
        ...when
      ].join(' ');
  }
}

/** Tells the day of a moment in words; `now` is today. */
export function dayWords(
  time: number,
  trans: TranslationBundle,
  now: Date = new Date()
): string {
  const day = new Date(time).toDateString();
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  if (day === now.toDateString()) {
    return trans.__('Today');
  }
  return day === before.toDateString()
    ? trans.__('Yesterday')
    : dates.format(time);
}
