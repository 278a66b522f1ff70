import type { HistoryEntry } from './entries';
import { besides, bridgeGaps, type IGraphRow, layoutGraph } from './graph';

/** A row of the panel: the name of a day, or an entry. */
export type Row = { kind: 'day'; id: string; time: number } | HistoryEntry;

/** The entries with a row before the first one of each day of the user's own calendar. */
export function withDays(entries: readonly HistoryEntry[]): Row[] {
  const rows: Row[] = [];
  let day = '';
  for (const entry of entries) {
    const next = new Date(entry.time).toDateString();
    if (next !== day) {
      day = next;
      rows.push({ kind: 'day', id: `day ${entry.id}`, time: entry.time });
    }
    rows.push(entry);
  }
  return rows;
}

/**
 * The lines beside the rows: where checkpoints, and states of kernels, were made from which. With
 * `goesOn` there are older ones than those in the list.
 */
export function graphOf(rows: readonly Row[], goesOn: boolean): IGraphRow[] {
  const checkpoints = layoutGraph(
    rows.map(row => (row.kind === 'checkpoint' ? row.checkpoint : null)),
    goesOn
  );
  const states = bridgeGaps(
    rows.flatMap(row => (row.kind === 'state' ? [row.state] : []))
  );
  let at = 0;
  const dots = rows.map(row => (row.kind === 'state' ? states[at++] : null));
  return besides(checkpoints, layoutGraph(dots, goesOn));
}
