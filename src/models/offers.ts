import { PromiseDelegate } from '@lumino/coreutils';

import type { Draft, Unseen } from '../tokens';

/** What became of the first look for edits that were left behind, of one notebook. */
interface IOffered {
  /** The draft that was offered; `null` where none was. */
  draft: PromiseDelegate<Draft | null>;
  answered: PromiseDelegate<void>;
}

/** Which edits are offered of each notebook that was just opened, and whether that was answered. */
export class Offers<T extends object> {
  /** `cellsOf` gives the ids of the cells in a draft. */
  constructor(
    private readonly cellsOf: (of: T, draft: Draft) => Promise<Set<string>>
  ) {}

  /** A notebook is being opened; what is offered of it is not known yet. */
  open(of: T): void {
    this._all.set(of, {
      draft: new PromiseDelegate(),
      answered: new PromiseDelegate()
    });
  }

  /** These edits are offered, or none. */
  offer(of: T, draft: Draft | null): void {
    this._all.get(of)?.draft.resolve(draft);
  }

  /** Nothing is offered any more. */
  answer(of: T): void {
    this._all.get(of)?.answered.resolve();
  }

  /** Resolves once these outputs are not about to come with edits that are offered. */
  async settle(of: T, executions: readonly Unseen[]): Promise<void> {
    const offered = this._all.get(of);
    const draft = await offered?.draft.promise;
    if (!offered || !draft) {
      return;
    }
    const cells = await this.cellsOf(of, draft);
    if (executions.some(({ cell }) => cell !== null && cells.has(cell))) {
      await offered.answered.promise;
    }
  }

  private readonly _all = new WeakMap<T, IOffered>();
}
