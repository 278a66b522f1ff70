import {
  Dialog,
  type MainAreaWidget,
  type Notification,
  showDialog
} from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { bringBack, type IOtherName } from '../models/bringing';
import type { HistoryModel, IOpenDocument } from '../models/history';
import { Pages } from '../models/pages';
import { StateComparison } from '../models/statecomparison';
import type { IBrought, IRewindClient, Moved, Snapshot } from '../tokens';
import type { IHistoryActions } from './historyentries';
import { tell, tellKernelWaited } from './telling';

/** What the actions on states of kernels need. */
export interface IStateContext {
  client: IRewindClient;
  model: HistoryModel;
  /** Jupyter's id of the kernel that runs for a document; throws where none does. */
  kernelOf(document: IOpenDocument | null): string;
  /** Show a view in a tab of its own. */
  show(widget: MainAreaWidget): Promise<void>;
  /** There is room for a question: one dialog waits for the other. */
  makeRoom(widget: MainAreaWidget): void;
  /** Do something, and tell the user where it fails. */
  told(failed: string, act: () => Promise<unknown>): Promise<void>;
  trans: TranslationBundle;
}

/** What the user can do with a state of the kernel. */
export function stateActions(
  context: IStateContext
): Pick<IHistoryActions, 'compareStates' | 'restoreState' | 'variables'> {
  const { client, kernelOf, makeRoom, model, show, told, trans } = context;

  const restoreState = (state: Snapshot) =>
    void told(trans.__('The variables were not brought back.'), async () => {
      const { document } = model;
      const asked = client.restoreState(kernelOf(document), state.id);
      const moved = await tellKernelWaited(asked, trans);
      const undo = () => client.restoreState(kernelOf(document), moved.kept.id);
      tellMoved(moved, undo, told, trans);
    });

  // Of the notebook that the state is of, whichever the user looks at by then.
  const bring = (
    document: IOpenDocument | null,
    state: Snapshot,
    name: string,
    view: MainAreaWidget
  ) =>
    void told(trans.__('%1 was not brought back.', name), async () => {
      const { askName } = await import('./naming');
      const ask = (taken: string): Promise<IOtherName | null> => {
        makeRoom(view);
        return askName(taken, proposedName(name, state), trans);
      };
      const wanted = { kernel: kernelOf(document), ref: state.id, name };
      const patient: Pick<IRewindClient, 'bringBack'> = {
        bringBack: (kernel, which) =>
          tellKernelWaited(client.bringBack(kernel, which), trans)
      };
      const done = await bringBack(patient, wanted, ask);
      if (done !== null) {
        tellBrought(done, name, state, trans);
      }
    });

  const variables = (state: Snapshot) =>
    void told(trans.__('The variables cannot be shown.'), async () => {
      const { document } = model;
      if (!document) {
        return;
      }
      const { path } = document;
      const { variablesWidget } = await import('./variables');
      const widget: MainAreaWidget = variablesWidget({
        path,
        variables: await client.variables(path, state.id),
        bringBack: name => bring(document, state, name, widget),
        trans
      });
      widget.id = `jupyter-rewind-variables-${state.id}`;
      await show(widget);
    });

  const compareStates = (state: Snapshot) =>
    void told(trans.__('Nothing could be compared.'), async () => {
      const { document } = model;
      if (!document) {
        return;
      }
      const { path } = document;
      const { stateComparison } = await import('./statecomparison');
      const failed = trans.__('Nothing could be compared.');
      const widget: MainAreaWidget = stateComparison({
        path,
        state,
        states: new Pages((limit, before) =>
          client.snapshots(path, limit, before)
        ),
        model: new StateComparison({
          present: () =>
            tellKernelWaited(client.keepState(kernelOf(document)), trans),
          difference: after => client.statesDifference(path, state.id, after)
        }),
        hasKernel: document.kernel !== null,
        bringBack: (of, name) => bring(document, of, name, widget),
        fail: reason => void told(failed, () => Promise.reject(reason)),
        trans
      });
      widget.id = `jupyter-rewind-states-${state.id}`;
      await show(widget);
    });

  return { compareStates, restoreState, variables };
}

/** Says that a variable is there again; where a part of it is missing, that stays to be read. */
export function tellBrought(
  { missing, name: as }: IBrought,
  name: string,
  { count }: Pick<Snapshot, 'count'>,
  trans: TranslationBundle
): void {
  const whole = trans.__(
    '%1 is what %2 was after cell [%3].',
    as,
    name,
    String(count)
  );
  if (!missing) {
    tell('success', whole, { autoClose: 8000 }, trans);
    return;
  }
  const part = trans.__('But for a part that was not kept: %1.', missing);
  tell('warning', `${whole} ${part}`, { autoClose: false }, trans);
}

/** Says what came back of the variables, and offers to take that back. */
export function tellMoved(
  { words }: Pick<Moved, 'words'>,
  undo: () => Promise<unknown>,
  told: IStateContext['told'],
  trans: TranslationBundle
): void {
  const [first, ...more] = movedLines(words);
  const takeBack: Notification.IAction = {
    label: trans.__('Undo'),
    caption: trans.__('Bring back the variables that were there before'),
    callback: () =>
      void told(trans.__('Nothing was undone.'), async () => {
        await tellKernelWaited(undo(), trans);
        tell('success', trans.__('Undone.'), { autoClose: 5000 }, trans);
      })
  };
  const details: Notification.IAction = {
    label: trans.__('Details'),
    callback: () =>
      void showDialog({
        title: trans.__('What came back'),
        body: movedWidget(words),
        buttons: [Dialog.okButton({ label: trans.__('Close') })]
      })
  };
  const actions = more.length ? [takeBack, details] : [takeBack];
  tell('success', first, { autoClose: 15000, actions }, trans);
}

/** What a move of the variables did; here a button takes it back, and no magic. */
export function movedLines(words: string): string[] {
  return words.split('\n').filter(line => !line.includes('%rewind undo'));
}

/** All of that, a line each. */
export function movedWidget(words: string): Widget {
  const node = document.createElement('div');
  node.className = 'jp-Rewind-lines';
  node.textContent = movedLines(words).join('\n');
  return new Widget({ node });
}

/** A name that tells where the variable is from. */
function proposedName(name: string, state: Snapshot): string {
  return state.count ? `${name}_${state.count}` : `${name}_before`;
}
