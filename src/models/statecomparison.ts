import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { IStatesDifference, Snapshot } from '../tokens';
import { comparedRows, type IComparedRow } from './variables';

/** What is chosen where the variables of the running kernel are to be compared. */
export const PRESENT = 'present';

/** Who knows the states. */
export interface IStateSource {
  /** Keeps what the running kernel has now. */
  present(): Promise<Snapshot>;
  /** Compares with another state. */
  difference(after: string): Promise<IStatesDifference>;
}

/** What was found. */
export interface IComparedStates {
  after: Snapshot;
  /** Whether that is what the kernel had when it was asked. */
  isPresent: boolean;
  rows: IComparedRow[];
}

/** One state of a kernel beside another one, or beside the present. */
export class StateComparison implements IDisposable {
  constructor(private readonly source: IStateSource) {}

  /** Something else is shown. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What differs from what was chosen; `null` until that is known. */
  get found(): IComparedStates | null {
    return this._found;
  }

  get isAsking(): boolean {
    return this._isAsking;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Compares with another state, or with the present; rejects where that cannot be. */
  async compare(chosen: string): Promise<void> {
    const turn = ++this._turns;
    this.show(null, true);
    let found: IComparedStates | null = null;
    try {
      const isPresent = chosen === PRESENT;
      const ref = isPresent ? (await this.source.present()).id : chosen;
      const difference = await this.source.difference(ref);
      const { after } = difference;
      found = { after, isPresent, rows: comparedRows(difference) };
    } finally {
      // What was chosen later is shown, however long this answer took.
      if (turn === this._turns && !this._isDisposed) {
        this.show(found, false);
      }
    }
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private show(found: IComparedStates | null, isAsking: boolean): void {
    this._found = found;
    this._isAsking = isAsking;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _found: IComparedStates | null = null;
  private _isAsking = false;
  private _isDisposed = false;
  private _turns = 0;
}
