import type { TranslationBundle } from '@jupyterlab/translation';

import type { Pages } from '../models/pages';
import type { Checkpoint } from '../tokens';
import { dayWords, momentWords, reasonWords } from './historywords';

/** A value that no checkpoint has. */
const OLDER = 'older';

/** What the choice needs to know. */
export interface ISideChoice {
  /** What can be chosen before all checkpoints: values with their words. */
  first: [string, string][];
  /** The checkpoints of the document; more of them are fetched as they are asked for. */
  checkpoints: Pages<Checkpoint>;
  /** The one that stands on the other side. */
  except: string;
  /** Something else was chosen. */
  onChosen(): void;
  /** Say what failed. */
  fail(reason: unknown): void;
}

/** What stands on one side of a comparison: chosen among all checkpoints of a document, by day. */
export class SideChoice {
  constructor(
    private readonly options: ISideChoice,
    private readonly trans: TranslationBundle
  ) {
    this._first = options.first;
    this._chosen = options.first[0][0];
    this.draw();
    this.node.addEventListener('change', () => this.onChange());
    // Whoever comes to choose is offered what was kept meanwhile, too.
    this.node.addEventListener('focus', () => void this.refresh());
  }

  readonly node = document.createElement('select');

  get value(): string {
    return this._chosen;
  }

  /** What can be chosen before all checkpoints. */
  set first(value: [string, string][]) {
    this._first = value;
    if (!value.some(([each]) => each === this._chosen)) {
      this._chosen = value[0][0];
    }
    this.draw();
  }

  /** Asks for the newest checkpoints. */
  async refresh(): Promise<void> {
    await this.fetch(() => this.options.checkpoints.refresh());
  }

  private onChange(): void {
    if (this.node.value !== OLDER) {
      this._chosen = this.node.value;
      this.options.onChosen();
      return;
    }
    // What is compared stays until one of them is chosen.
    this.node.value = this._chosen;
    void this.fetch(() => this.options.checkpoints.more());
  }

  private async fetch(ask: () => Promise<void>): Promise<void> {
    const { checkpoints, fail } = this.options;
    const before = checkpoints.items;
    try {
      await ask();
    } catch (reason) {
      fail(reason);
      return;
    }
    const now = checkpoints.items;
    // An open list is not pulled away for nothing.
    if (String(before.map(nameOf)) !== String(now.map(nameOf))) {
      this.draw();
    }
  }

  private draw(): void {
    const { checkpoints, except } = this.options;
    const { node, trans } = this;
    node.replaceChildren(
      ...this._first.map(([value, words]) => new Option(words, value))
    );
    let day = '';
    let group: HTMLElement = node;
    for (const each of checkpoints.items) {
      if (each.id === except || !each.readable) {
        continue;
      }
      const words = dayWords(Date.parse(each.time), trans);
      if (words !== day) {
        day = words;
        group = document.createElement('optgroup');
        group.setAttribute('label', day);
        node.append(group);
      }
      const reason = reasonWords(each, trans);
      group.append(new Option(`${nameOf(each)} · ${reason}`, each.id));
    }
    if (checkpoints.hasMore) {
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
