import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import type * as Y from 'yjs';

import type { SharedNotebook } from './draftdoc';
import type { DraftEpoch, IDraftServer, IShelf } from './draftepoch';
import { canonical } from './draftrestore';

/** By then a server that is there again has read the file, and edits of both sides are in one. */
const PAUSE = 3000;

/** So often it is waited for the server to save, before the draft is handed over all the same. */
const MOST_WAITS = 10;

/** What is needed of a shared notebook's context. */
export interface ISharedContext {
  readonly localPath: string;
  readonly model: { dirty: boolean; readonly sharedModel: SharedNotebook };
}

/** Edits that were made while the server was away, and what the touched cells said then. */
interface IParted {
  epoch: DraftEpoch;
  cells: string[];
  waits: number;
}

/**
 * Edits of a shared notebook that were made while its server was away.
 *
 * A server that was killed reads the file anew when it is there again, and puts that into the page,
 * too: what was typed since the last save may be gone from it, or stand there in pieces. So the
 * edits are kept as they were before, until the notebook is known to hold them.
 */
export class Partings implements IDisposable {
  constructor(
    private readonly context: ISharedContext,
    private readonly server: IDraftServer,
    private readonly shelf: IShelf,
    private readonly address: string
  ) {
    const { ydoc } = context.model.sharedModel as { ydoc?: Y.Doc };
    const hear = (transaction: Y.Transaction) => {
      if (!transaction.local) {
        this._coming.emit(isJoining(transaction.origin));
      }
    };
    ydoc?.on('beforeTransaction', hear);
    this._stop = () => ydoc?.off('beforeTransaction', hear);
  }

  /**
   * What others did is about to be put into the notebook, which is as it was until then; whether
   * it is what a server says first to those who come, or come again.
   */
  get coming(): ISignal<this, boolean> {
    return this._coming;
  }

  /** The name of a draft, on the server, with edits that the notebook does not hold any more. */
  get left(): ISignal<this, string> {
    return this._left;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Keeps what was edited up to now, which stands in the epoch and still in the notebook. */
  async keep(epoch: DraftEpoch): Promise<void> {
    const there = new Set(this.cells);
    const cells = [...epoch.doc.cells]
      .filter(cell => there.has(cell))
      .map(cell => canonical(cell.toJSON()));
    this._parted.add({ epoch, cells, waits: 0 });
    this.startTimer();
    // Where this browser keeps nothing, this page does, and the server soon.
    await epoch
      .putAside(this.shelf, this.address, this.context.localPath)
      .catch(() => undefined);
  }

  /** Forgets what the notebook holds, and hands over what it does not. */
  async look(): Promise<void> {
    for (const parted of [...this._parted]) {
      if (await this.isSettled(parted)) {
        this._parted.delete(parted);
      }
    }
    if (this._parted.size) {
      this.startTimer();
    }
  }

  /** What is not settled stays on this browser's disk, and is offered when it is opened again. */
  dispose(): void {
    this._isDisposed = true;
    this._stop();
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    Signal.clearData(this);
  }

  private async isSettled(parted: IParted): Promise<boolean> {
    const { epoch, cells } = parted;
    const { localPath, model } = this.context;
    if (model.dirty && parted.waits < MOST_WAITS) {
      parted.waits += 1;
      return false;
    }
    const held = new Set(this.cells.map(cell => canonical(cell.toJSON())));
    if (cells.every(cell => held.has(cell))) {
      if (!model.dirty) {
        await epoch.forget(this.server, this.shelf, localPath);
      }
      return !model.dirty;
    }
    try {
      await epoch.handOver(this.server, localPath);
      await epoch.takeBack(this.shelf);
    } catch {
      // It stays on this browser's disk, and is tried again.
      return false;
    }
    this._left.emit(epoch.id);
    return true;
  }

  private get cells(): SharedNotebook['cells'] {
    return this.context.model.sharedModel.cells;
  }

  private startTimer(): void {
    if (this._timer === null && !this._isDisposed) {
      this._timer = setTimeout(() => {
        this._timer = null;
        void this.look();
      }, PAUSE);
    }
  }

  private _coming = new Signal<this, boolean>(this);
  private _isDisposed = false;
  private _left = new Signal<this, string>(this);
  private readonly _parted = new Set<IParted>();
  private readonly _stop: () => void;
  private _timer: ReturnType<typeof setTimeout> | null = null;
}

/** Whether a transaction's origin, a provider of y-websocket's kind, is not yet as its server is. */
function isJoining(origin: unknown): boolean {
  return (origin as { synced?: unknown } | null)?.synced === false;
}
