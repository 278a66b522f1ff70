import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type {
  Found,
  IRecovered,
  IRewindClient,
  Overview,
  Standing
} from '../tokens';

/** What was found in a folder: traces of notebooks, and files that were deleted. */
export interface ISurvey {
  found: Found;
  deleted: Overview[];
  /** Why deleted files may be missing here, in the server's words. */
  incomplete: string[];
}

/** The notebooks with traces, but for those that stand among the deleted files already. */
export function standingsIn({ deleted, found }: ISurvey): Standing[] {
  const gone = new Set(deleted.map(each => each.path));
  // One that is there may have the name of a deleted one.
  return found.notebooks.filter(
    each => each.state !== 'missing' || !gone.has(each.path)
  );
}

/** What stands in the view: a folder with all that left traces, or one notebook brought back. */
export type Stage =
  | { name: 'looking'; path: string }
  | { name: 'failed'; path: string; why: string }
  | { name: 'folder'; path: string; survey: ISurvey }
  | { name: 'notebook'; path: string; recovered: IRecovered };

/** Goes from a folder to one of its notebooks and back; nothing is written here. */
export class RecoveryModel implements IDisposable {
  constructor(private readonly client: IRewindClient) {}

  /** Another stage stands in the view. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get stage(): Stage {
    return this._stage;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** What can be brought back of a notebook, or of all notebooks of a folder. */
  async look(path: string): Promise<void> {
    this.show({ name: 'looking', path });
    const asked = ++this._asked;
    let stage: Stage;
    try {
      stage = path.endsWith('.ipynb')
        ? {
            name: 'notebook',
            path,
            recovered: await this.client.previewRecovery(path)
          }
        : { name: 'folder', path, survey: await this.survey(path) };
    } catch (reason) {
      const why = reason instanceof Error ? reason.message : String(reason);
      stage = { name: 'failed', path, why };
    }
    if (asked === this._asked && !this._isDisposed) {
      this.show(stage);
    }
  }

  /** The folder of what stands in the view. */
  get folder(): string {
    const { path } = this._stage;
    return path.endsWith('.ipynb')
      ? path.split('/').slice(0, -1).join('/')
      : path;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private async survey(path: string): Promise<ISurvey> {
    const [found, { deleted, incomplete }] = await Promise.all([
      this.client.traces(path),
      this.client.deleted()
    ]);
    const prefix = path ? `${path}/` : '';
    return {
      found,
      incomplete,
      deleted: deleted.filter(each => each.path.startsWith(prefix))
    };
  }

  private show(stage: Stage): void {
    this._stage = stage;
    this._changed.emit();
  }

  private _asked = 0;
  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _stage: Stage = { name: 'looking', path: '' };
}
