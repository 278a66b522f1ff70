import type { Checkpoint, Execution, Snapshot } from '../tokens';

/** What a history lists. */
export type Kind = 'checkpoint' | 'execution' | 'state';

export const KINDS: readonly Kind[] = ['checkpoint', 'execution', 'state'];

/** One entry of a history, with its time in milliseconds since 1970. */
export type HistoryEntry = { id: string; time: number } & (
  | { kind: 'checkpoint'; checkpoint: Checkpoint }
  | { kind: 'execution'; execution: Execution }
  | { kind: 'state'; state: Snapshot }
);

/** Entries of one kind, the newest first; older ones may not be at hand. */
export interface IPart {
  readonly items: HistoryEntry[];
  readonly hasMore: boolean;
}

export const checkpointEntry = (checkpoint: Checkpoint): HistoryEntry => ({
  kind: 'checkpoint',
  id: checkpoint.id,
  time: new Date(checkpoint.time).getTime(),
  checkpoint
});

export const executionEntry = (execution: Execution): HistoryEntry => ({
  kind: 'execution',
  id: execution.id,
  time: execution.started_ns / 1e6,
  execution
});

export const stateEntry = (state: Snapshot): HistoryEntry => ({
  kind: 'state',
  id: state.id,
  time: state.time_ns / 1e6,
  state
});

/**
 * One list of all, the newest first. It ends where the first of the kinds is not at hand any more:
 * what comes then may have others between. Within a kind the order stays, whatever the times say.
 */
export function mergeParts(parts: IPart[]): HistoryEntry[] {
  const at = parts.map(() => 0);
  const merged: HistoryEntry[] = [];
  for (;;) {
    let chosen = -1;
    let best: HistoryEntry | undefined;
    if (parts.some((part, number) => isUsedUp(part, at[number]))) {
      return merged;
    }
    parts.forEach(({ items }, number) => {
      const next = items[at[number]];
      if (next && (!best || next.time > best.time)) {
        [chosen, best] = [number, next];
      }
    });
    if (!best) {
      return merged;
    }
    merged.push(best);
    at[chosen] += 1;
  }
}

const isUsedUp = ({ items, hasMore }: IPart, at: number) =>
  hasMore && at === items.length;

/** The time of the oldest entry at hand. */
export function oldestOf({ items }: IPart): number {
  return items.length ? items[items.length - 1].time : Infinity;
}
