import type { ICodeCellModel } from '@jupyterlab/cells';
import {
  type Notebook,
  NotebookActions,
  type NotebookPanel
} from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Throttler } from '@lumino/polling';

import type { Unseen } from '../tokens';
import { type ICellState, type IPlacement, placeOutputs } from './away';

/** So often, at most, what a running cell puts out is fetched. */
const PAUSE = 1000;

/**
 * Puts into one open notebook what its cells put out while nobody listened. Of a notebook that is
 * shown in several views there is one, with the first of them as its `panel`.
 */
export class AwayOutputs implements IDisposable {
  /** `ask` gives the executions that went on after a moment in milliseconds since 1970. */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly ask: (since?: number) => Promise<Unseen[]>
  ) {
    const saved = panel.context.contentsModel?.last_modified;
    this._since = saved ? Math.max(Date.parse(saved), 1) : undefined;
    NotebookActions.executionScheduled.connect(this.onScheduled, this);
    panel.sessionContext.iopubMessage.connect(this.onMessage, this);
    panel.sessionContext.statusChanged.connect(this.onMessage, this);
  }

  /** Into how many cells outputs were put when they were brought last. */
  get placed(): number {
    return this._placed;
  }

  /** What belonged to no cell then. */
  get lost(): IPlacement['lost'] {
    return this._lost;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Fetches and places. A cell that was run here since is never touched. */
  async bring(): Promise<void> {
    const executions = await this.ask(this._since);
    if (this._isDisposed) {
      return;
    }
    const { model } = this.panel.context;
    const cells = Array.from(model.cells);
    const { placed, lost, running } = placeOutputs(
      // A large notebook is not read through where there is nothing to put into it.
      executions.length ? cells.map(cell => this.stateOf(cell)) : [],
      executions
    );
    for (const { execution, cell } of placed) {
      this.put(cells[cell] as ICodeCellModel, execution);
    }
    for (const cell of running) {
      this.tell(cells[cell] as ICodeCellModel, true);
    }
    this._placed = placed.length;
    this._lost = lost;
    this._isFollowing = executions.some(execution => execution.running);
    if (this._isFollowing && this.panel.sessionContext.session) {
      this.look();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._follow.dispose();
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    NotebookActions.executionScheduled.disconnect(this.onScheduled, this);
    const { sessionContext } = this.panel;
    if (!sessionContext.isDisposed) {
      sessionContext.iopubMessage.disconnect(this.onMessage, this);
      sessionContext.statusChanged.disconnect(this.onMessage, this);
    }
  }

  private stateOf(cell: ICellModel): ICellState {
    const isCode = cell.type === 'code';
    const code = cell as ICodeCellModel;
    return {
      id: cell.id,
      isCode,
      source: cell.sharedModel.getSource(),
      count: isCode ? code.executionCount : null,
      outputs: isCode ? code.outputs.toJSON() : [],
      isNewer: this._newer.has(cell.id) || this.isEdited(cell)
    };
  }

  /** Whether somebody has cleared or changed what was put there, all of it. */
  private isEdited(cell: ICellModel): boolean {
    const put = this._put.get(cell.id);
    return put !== undefined && put !== outputsOf(cell as ICodeCellModel);
  }

  private onScheduled(
    _: unknown,
    { notebook, cell }: { notebook: Notebook; cell: { model: ICellModel } }
  ): void {
    if (notebook.model === this.panel.context.model) {
      this._newer.add(cell.model.id);
    }
  }

  private onMessage(): void {
    if (this._isFollowing) {
      void this._follow.invoke();
    }
  }

  private put(cell: ICodeCellModel, execution: Unseen): void {
    cell.outputs.fromJSON(execution.outputs);
    cell.executionCount = execution.running ? null : execution.count;
    // As when it is run here: it was the user's own kernel.
    cell.trusted = true;
    if (!execution.running) {
      this._put.set(cell.id, outputsOf(cell));
    }
    this.tell(cell, execution.running);
  }

  /** Its prompt says whether it runs. */
  private tell(cell: ICodeCellModel, running: boolean): void {
    if ('executionState' in cell) {
      cell.executionState = running ? 'running' : 'idle';
      return;
    }
    // Up to JupyterLab 4.2 the model does not know, and what shows it is told.
    const code = cell as ICodeCellModel;
    const shown = this.panel.content.widgets.find(each => each.model === code);
    shown?.setPrompt(running ? '*' : String(code.executionCount ?? ''));
  }

  /** Its end may be told before it stands in the journal, so it is looked for once more. */
  private look(): void {
    if (this._timer === null) {
      this._timer = setTimeout(() => {
        this._timer = null;
        if (this.panel.sessionContext.session?.kernel?.status !== 'busy') {
          void this._follow.invoke();
        }
      }, 2 * PAUSE);
    }
  }

  private _follow = new Throttler(
    // The next message, or a look later on, tries again.
    () => this.bring().catch(() => undefined),
    { limit: PAUSE, edge: 'trailing' }
  );
  private _isDisposed = false;
  private _isFollowing = false;
  private _lost: IPlacement['lost'] = [];
  private readonly _newer = new Set<string>();
  private _placed = 0;
  /** What was put into cells whose executions have ended, as the cells tell it. */
  private readonly _put = new Map<string, string>();
  private readonly _since: number | undefined;
  private _timer: ReturnType<typeof setTimeout> | null = null;
}

const outputsOf = (cell: ICodeCellModel) =>
  JSON.stringify(cell.outputs.toJSON());

type ICellModel = import('@jupyterlab/cells').ICellModel;
