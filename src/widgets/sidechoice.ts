import type { TranslationBundle } from '@jupyterlab/translation';

import type { Pages } from '../models/pages';
import type { Checkpoint, Snapshot } from '../tokens';
import { dayWords, momentWords, reasonWords, stateWords } from './historywords';

/** A value that no entry has. */
const OLDER = 'older';

/** What the choice needs to know. */
export interface ISideChoice<T extends { id: string }> {
  /** What can be chosen before all entries: values with their words. */
  first: [string, string][];
  /** What a history has of this kind; more is fetched as it is asked for. */
  entries: Pages<T>;
  /** The one that stands on the other side. */
  except: string;
  /** When an entry was made, and its words; `null` where it cannot be shown. */
  tell(entry: T): { time: number; words: string } | null;
  /** Something else was chosen. */
  onChosen(): void;
  /** Say what failed. */
  fail(reason: unknown): void;
}

/** What stands on one side of a comparison: chosen among all entries of one kind, by day. */
export class SideChoice<T extends { id: string }> {
  constructor(
    private readonly options: ISideChoice<T>,
    private readonly trans: TranslationBundle
  ) {
    this._first = options.first;
    this._chosen = options.first[0]?.[0] ?? '';
    this.draw();
    this.node.addEventListener('change', () => this.onChange());
    // Whoever comes to choose is offered what was kept meanwhile, too.
    this.node.addEventListener('focus', () => void this.refresh());
  }

  readonly node = document.createElement('select');

  /** What is chosen; empty until there is anything to choose. */
  get value(): string {
    return this._chosen;
  }

  /** What can be chosen before all entries. */
  set first(value: [string, string][]) {
    this._first = value;
    if (!value.some(([each]) => each === this._chosen)) {
      this._chosen = value[0]?.[0] ?? '';
    }
    this.draw();
  }

  /** Asks for the newest entries. */
  async refresh(): Promise<void> {
    await this.fetch(() => this.options.entries.refresh());
  }

  private onChange(): void {
    if (this.node.value !== OLDER) {
      this._chosen = this.node.value;
      this.options.onChosen();
      return;
    }
    // What is compared stays until one of them is chosen.
    this.node.value = this._chosen;
    void this.fetch(() => this.options.entries.more());
  }

  private async fetch(ask: () => Promise<void>): Promise<void> {
    const { entries, fail, tell } = this.options;
    const wordsOf = (all: T[]) => String(all.map(each => tell(each)?.words));
    const before = entries.items;
    try {
      await ask();
    } catch (reason) {
      fail(reason);
      return;
    }
    // An open list is not pulled away for nothing.
    if (wordsOf(before) !== wordsOf(entries.items)) {
      this.draw();
    }
    const first = this.node.options[0]?.value;
    if (!this._chosen && first && first !== OLDER) {
      this._chosen = first;
      this.options.onChosen();
    }
  }

  private draw(): void {
    const { entries, except, tell } = this.options;
    const { node, trans } = this;
    node.replaceChildren(
      ...this._first.map(([value, words]) => new Option(words, value))
    );
    let day = '';
    let group: HTMLElement = node;
    for (const each of entries.items) {
      const told = each.id === except ? null : tell(each);
      if (!told) {
        continue;
      }
      const when = dayWords(told.time, trans);
      if (when !== day) {
        day = when;
        group = document.createElement('optgroup');
        group.setAttribute('label', day);
        node.append(group);
      }
      group.append(new Option(told.words, each.id));
    }
    if (entries.hasMore) {
      node.append(new Option(trans.__('Older ones…'), OLDER));
    }
    node.value = this._chosen;
  }

  private _chosen: string;
  private _first: [string, string][];
}

/** A checkpoint in one line: its names and its moment. */
export function nameOf({ labels, time }: Checkpoint): string {
  const when = momentWords(Date.parse(time));
  return labels.length ? `${labels.join(', ')} (${when})` : when;
}

/** How a checkpoint is offered; one that was lost cannot be compared. */
export function tellCheckpoint(
  checkpoint: Checkpoint,
  trans: TranslationBundle
) {
  const words = `${nameOf(checkpoint)} · ${reasonWords(checkpoint, trans)}`;
  const time = Date.parse(checkpoint.time);
  return checkpoint.readable ? { time, words } : null;
}

/** A state of a kernel in one line: its names, its cell and its moment. */
export function nameOfState(state: Snapshot, trans: TranslationBundle): string {
  const when = momentWords(state.time_ns / 1e6);
  const names = [...state.labels, stateWords(state, trans)].join(', ');
  return `${names} (${when})`;
}
