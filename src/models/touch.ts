import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

/** What a notebook's panel writes by itself when its kernel says what it is. */
const KERNELS_OWN = ['language_info', 'kernelspec'];

/** What is needed of a document's model; JupyterLab's fit. */
export interface ITouchable {
  dirty: boolean;
  readonly collaborative?: boolean;
  readonly contentChanged: ISignal<unknown, void>;
  readonly metadataChanged?: ISignal<unknown, { key: string }>;
  readonly stateChanged: ISignal<unknown, { name: string }>;
}

/**
 * Knows which edits are not in the file, and has the model say so.
 *
 * JupyterLab by itself errs in two ways. A notebook that was only opened counts as changed, since
 * its kernel's description is written into it; here it does not, and that is saved with the next
 * edit. And what is typed while a save runs counts as saved; here it does not.
 */
export class Touch implements IDisposable {
  constructor(private readonly model: ITouchable) {
    model.metadataChanged?.connect(this.onMetadata, this);
    model.contentChanged.connect(this.onContent, this);
    model.stateChanged.connect(this.onState, this);
  }

  /** How many edits there were. */
  get count(): number {
    return this._count;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Until `release`, others change the model: it is being loaded or saved. */
  hold(): void {
    this._holds += 1;
  }

  /** The file holds the first `saved` edits; no more than before where that is not told. */
  release(saved = this._saved): void {
    this._holds -= 1;
    // A save may end in the file being read again, which then knew of more.
    this._saved = Math.max(this._saved, saved);
    this.settle();
  }

  dispose(): void {
    this._isDisposed = true;
    this.model.metadataChanged?.disconnect(this.onMetadata, this);
    this.model.contentChanged.disconnect(this.onContent, this);
    this.model.stateChanged.disconnect(this.onState, this);
  }

  private onMetadata(_: unknown, { key }: { key: string }): void {
    this._isKernels = KERNELS_OWN.includes(key);
  }

  private onContent(): void {
    // A change of metadata is told as one of the content right after.
    if (this._isKernels) {
      this._isKernels = false;
    } else {
      this._count += 1;
      this.settle();
    }
  }

  private onState(_: unknown, { name }: { name: string }): void {
    if (name === 'dirty') {
      this.settle();
    }
  }

  private settle(): void {
    // Later: others are still hearing of the change, and edits may be told after the state.
    void Promise.resolve().then(() => {
      const { model } = this;
      if (!this._holds && !this._isDisposed && !model.collaborative) {
        model.dirty = this._count > this._saved;
      }
    });
  }

  private _count = 0;
  private _holds = 0;
  private _isDisposed = false;
  private _isKernels = false;
  private _saved = 0;
}
