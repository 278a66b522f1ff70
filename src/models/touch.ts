import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

/** What a notebook's panel writes by itself when its kernel says what it is. */
const KERNELS_OWN = ['language_info', 'kernelspec'];

/** A change of one of a notebook's metadata. */
export interface IMetadataChange {
  key: string;
  oldValue?: unknown;
  newValue?: unknown;
}

/**
 * Whether a kernel's start wrote it. To choose another kernel is an edit; what the chosen one is
 * called and speaks is not.
 */
export function isKernelsOwn(change: IMetadataChange): boolean {
  const name = (value: unknown) =>
    (value as { name?: unknown } | null | undefined)?.name;
  const { key, oldValue, newValue } = change;
  return (
    KERNELS_OWN.includes(key) &&
    (key !== 'kernelspec' ||
      !name(oldValue) ||
      name(oldValue) === name(newValue))
  );
}

/** Whether a person made one of these changes of a notebook's metadata, which are `now` so. */
export function areUsers(
  changes: Map<string, { oldValue?: unknown }>,
  now: (key: string) => unknown
): boolean {
  return [...changes].some(
    ([key, { oldValue }]) =>
      !isKernelsOwn({ key, oldValue, newValue: now(key) })
  );
}

/** What is needed of a document's model; JupyterLab's fit. */
export interface ITouchable {
  dirty: boolean;
  readonly collaborative?: boolean;
  readonly contentChanged: ISignal<unknown, void>;
  readonly metadataChanged?: ISignal<unknown, IMetadataChange>;
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

  private onMetadata(_: unknown, change: IMetadataChange): void {
    this._isKernels = isKernelsOwn(change);
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
