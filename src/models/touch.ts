import { type ISessionContext, SessionContext } from '@jupyterlab/apputils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import { watchSilent } from './silent';

/** What a notebook's panel writes by itself when its kernel says what it is. */
const KERNELS_OWN = ['language_info', 'kernelspec'];

/** A change of one of a notebook's metadata. */
export interface IMetadataChange {
  key: string;
  oldValue?: unknown;
  newValue?: unknown;
}

/** What is needed of a document's session; JupyterLab's fits. */
export type ISession = Pick<
  ISessionContext,
  'kernelPreference' | 'specsManager'
>;

/** What is needed of a notebook's context to tell whose a change of its metadata is. */
export interface IDescribed {
  readonly model: {
    readonly sharedModel: { getMetadata(key: string): unknown };
  };
  readonly sessionContext?: ISession;
}

/**
 * Whether a kernel's start wrote it. To choose another kernel is an edit; what the chosen one is
 * called and speaks is not, and neither is what JupyterLab chooses by itself where the one that the
 * notebook names is not installed.
 */
export function isKernelsOwn(
  change: IMetadataChange,
  session?: ISession
): boolean {
  const { key, oldValue, newValue } = change;
  if (key !== 'kernelspec') {
    return KERNELS_OWN.includes(key);
  }
  const [before, after] = [oldValue, newValue].map(
    value => (value as { name?: string } | null | undefined)?.name
  );
  return !before || before === after || after === unasked(before, session);
}

/** The kernel that JupyterLab starts by itself for a notebook that names this one. */
function unasked(name: string, session?: ISession): string | null | undefined {
  const specs = session?.specsManager.specs;
  const preference = { ...session?.kernelPreference, name };
  return specs && SessionContext.getDefaultKernel({ specs, preference });
}

/** Whether a person made one of these changes of a notebook's metadata. */
export function areUsers(
  changes: Map<string, { oldValue?: unknown }>,
  { model, sessionContext }: IDescribed
): boolean {
  return [...changes].some(([key, { oldValue }]) => {
    const newValue = model.sharedModel.getMetadata(key);
    return !isKernelsOwn({ key, oldValue, newValue }, sessionContext);
  });
}

/** What is needed of a document's model; JupyterLab's fit. */
export interface ITouchable {
  dirty: boolean;
  readonly collaborative?: boolean;
  readonly contentChanged: ISignal<unknown, void>;
  readonly metadataChanged?: ISignal<unknown, IMetadataChange>;
  readonly sharedModel?: object;
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
  constructor(
    private readonly model: ITouchable,
    private readonly session?: ISession
  ) {
    model.metadataChanged?.connect(this.onMetadata, this);
    model.contentChanged.connect(this.onContent, this);
    model.stateChanged.connect(this.onState, this);
    this._silent = watchSilent(model.sharedModel, () => this.onEdit());
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
    this._silent.dispose();
    this.model.metadataChanged?.disconnect(this.onMetadata, this);
    this.model.contentChanged.disconnect(this.onContent, this);
    this.model.stateChanged.disconnect(this.onState, this);
  }

  private onMetadata(_: unknown, change: IMetadataChange): void {
    this._isKernels = isKernelsOwn(change, this.session);
  }

  private onContent(): void {
    // A change of metadata is told as one of the content right after.
    if (this._isKernels) {
      this._isKernels = false;
    } else {
      this.onEdit();
    }
  }

  private onEdit(): void {
    this._count += 1;
    this.settle();
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
  private readonly _silent: IDisposable;
  private _holds = 0;
  private _isDisposed = false;
  private _isKernels = false;
  private _saved = 0;
}
