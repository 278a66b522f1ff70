import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { type Kind, KINDS } from './entries';

/** What keeps the choices; JupyterLab's settings fit. */
export interface IKept {
  readonly changed: ISignal<unknown, void>;
  get(key: string): { composite: unknown };
  set(key: string, value: string[] | boolean): Promise<void>;
}

/** What the user chose to see in the history; it holds over a reload where it can be kept. */
export class Choices implements IDisposable {
  constructor(kept?: Promise<IKept>) {
    // Without what was chosen earlier it begins with what is usual.
    void kept?.then(found => this.load(found)).catch(() => undefined);
  }

  /** Something else was chosen, here or in the settings. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Which kinds of entries are listed. */
  get kinds(): ReadonlySet<Kind> {
    return this._kinds;
  }

  set kinds(value: ReadonlySet<Kind>) {
    this._kinds = value;
    this.keep('kinds', [...value]);
  }

  /** Whether comparisons leave outputs out. */
  get hidesOutputs(): boolean {
    return this._hidesOutputs;
  }

  set hidesOutputs(value: boolean) {
    this._hidesOutputs = value;
    this.keep('hideOutputs', value);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._kept?.changed.disconnect(this.read, this);
    Signal.clearData(this);
  }

  private load(kept: IKept): void {
    if (!this._isDisposed) {
      this._kept = kept;
      kept.changed.connect(this.read, this);
      this.read();
    }
  }

  private keep(key: string, value: string[] | boolean): void {
    this._changed.emit();
    const kept = this._kept;
    if (kept) {
      this._writing += 1;
      // Settings are written as a whole: of two that are written at once, one would be lost.
      this._turn = this._turn
        .then(() => kept.set(key, value))
        // Where they cannot be written, the choice holds until the page is left.
        .catch(() => undefined)
        .finally(() => (this._writing -= 1));
    }
  }

  private read(): void {
    // What is being written is newer than what is read meanwhile.
    if (!this._kept || this._writing) {
      return;
    }
    const kinds = this._kept.get('kinds').composite;
    if (Array.isArray(kinds)) {
      this._kinds = new Set(KINDS.filter(kind => kinds.includes(kind)));
    }
    this._hidesOutputs = this._kept.get('hideOutputs').composite === true;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _hidesOutputs = false;
  private _isDisposed = false;
  private _kept: IKept | null = null;
  private _kinds: ReadonlySet<Kind> = new Set<Kind>(['checkpoint']);
  private _turn: Promise<unknown> = Promise.resolve();
  private _writing = 0;
}
