import { MainAreaWidget, ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Pages } from '../models/pages';
import { sizeWords } from '../models/sizes';
import {
  type IComparedStates,
  PRESENT,
  type StateComparison
} from '../models/statecomparison';
import type { IComparedRow, ISide } from '../models/variables';
import type { Snapshot } from '../tokens';
import { Link } from './historyentries';
import { clockWords, stateWords } from './historywords';
import { nameOfState, SideChoice } from './sidechoice';
import { changeWords, fidelityWords } from './variables';

/** What a comparison of states shows, and what the user can ask of it. */
export interface IStateComparisonOptions {
  path: string;
  /** What stands on the left. */
  state: Snapshot;
  /** All states of the notebook. */
  states: Pages<Snapshot>;
  model: StateComparison;
  /** Whether there is a running kernel to compare with. */
  hasKernel: boolean;
  /** One variable of a state is in the running kernel again. */
  bringBack(state: Snapshot, name: string): void;
  /** Say what failed. */
  fail(reason: unknown): void;
  trans: TranslationBundle;
}

/** One state of a kernel beside another one or the present, variable by variable. */
export function stateComparison(
  options: IStateComparisonOptions
): MainAreaWidget<ReactWidget> {
  const { fail, hasKernel, model, path, state, states, trans } = options;
  const compare = () =>
    right.value && void model.compare(right.value).catch(fail);
  const right = new SideChoice(
    {
      first: hasKernel ? [[PRESENT, trans.__('the running kernel now')]] : [],
      entries: states,
      except: state.id,
      tell: each => ({
        time: each.time_ns / 1e6,
        words: nameOfState(each, trans)
      }),
      onChosen: compare,
      fail
    },
    trans
  );
  const content = ReactWidget.create(
    <Comparison {...options} right={right.node} again={compare} />
  );
  content.addClass('jp-Rewind-variables');
  content.addClass('jp-Rewind-states');
  content.disposed.connect(() => model.dispose());
  const widget = new MainAreaWidget({ content });
  const name = path.split('/').pop() ?? path;
  widget.title.label = trans.__(
    '%1: %2 compared',
    name,
    stateWords(state, trans)
  );
  widget.title.caption = widget.title.label;
  widget.title.icon = historyIcon;
  widget.title.closable = true;
  if (hasKernel) {
    compare();
  }
  void right.refresh();
  return widget;
}

interface IComparisonProps extends IStateComparisonOptions {
  right: HTMLElement;
  again: () => void;
}

function Comparison(props: IComparisonProps): React.ReactElement {
  const { again, path, right, state, trans } = props;
  const [withSame, setWithSame] = React.useState(false);
  return (
    <>
      <h2>
        {trans.__(
          '%1: %2 on the left',
          path.split('/').pop() ?? path,
          nameOfState(state, trans)
        )}
      </h2>
      <div className="jp-Rewind-controls">
        <label>
          {trans.__('On the right:')}
          <span ref={place => place?.append(right)} />
        </label>
        <label>
          <input
            type="checkbox"
            checked={withSame}
            onChange={event => setWithSame(event.target.checked)}
          />
          {trans.__('Also what is the same')}
        </label>
        <Link
          title={trans.__('Ask again: the kernel may have gone on')}
          act={again}
        >
          {trans.__('Compare again')}
        </Link>
      </div>
      <UseSignal signal={props.model.changed}>
        {() =>
          props.model.found ? (
            <Found {...props} found={props.model.found} withSame={withSame} />
          ) : (
            <p role="status">{waitingWords(props)}</p>
          )
        }
      </UseSignal>
    </>
  );
}

function waitingWords({ model, right, trans }: IComparisonProps): string {
  if (model.isAsking) {
    return trans.__('Comparing…');
  }
  return right.childElementCount
    ? trans.__('Choose what is to stand on the right.')
    : trans.__('There is no other state of this notebook to compare with.');
}

interface IFoundProps extends IStateComparisonOptions {
  found: IComparedStates;
  withSame: boolean;
}

function Found(props: IFoundProps): React.ReactElement {
  const { bringBack, found, state, trans, withSame } = props;
  const { after, isPresent, rows } = found;
  const shown = withSame ? rows : rows.filter(row => row.how !== 'same');
  const now = trans.__('Now (%1)', clockWords(after.time_ns / 1e6));
  return (
    <>
      <p>{countWords(rows, trans)}</p>
      {shown.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Change')}</th>
              <th scope="col">{nameOfState(state, trans)}</th>
              <th scope="col">{isPresent ? now : nameOfState(after, trans)}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(row => (
              <Row
                key={row.name}
                row={row}
                bringBack={() => bringBack(state, row.name)}
                trans={trans}
              />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

interface IRowProps {
  row: IComparedRow;
  bringBack: () => void;
  trans: TranslationBundle;
}

function Row({ row, bringBack, trans }: IRowProps): React.ReactElement {
  const { how, left, name, right } = row;
  const canComeBack = left?.variable && left.variable.fidelity !== 'missing';
  return (
    <tr data-variable={name} className={`jp-mod-${how}`}>
      <th scope="row">{name}</th>
      <td>
        <span className={`jp-Rewind-badge jp-mod-${how}`}>
          {how === 'same' ? trans.__('the same') : changeWords(how, trans)}
        </span>
      </td>
      <td className="jp-mod-left">
        <Side side={left} trans={trans} />
        {how !== 'same' && canComeBack && (
          <button
            className="jp-Rewind-link"
            aria-label={trans.__('Bring %1 back', name)}
            title={trans.__('Put it into the running kernel; all else stays')}
            onClick={bringBack}
          >
            {trans.__('Bring back')}
          </button>
        )}
      </td>
      <td className="jp-mod-right">
        <Side side={right} trans={trans} />
      </td>
    </tr>
  );
}

/** A variable as one state has it. */
function Side(props: {
  side: ISide | null;
  trans: TranslationBundle;
}): React.ReactElement {
  const { side, trans } = props;
  if (!side) {
    return <small>{trans.__('not there')}</small>;
  }
  const { preview, size, type, variable } = side;
  const what = [
    type,
    size ? sizeWords(size) : '',
    variable ? fidelityWords(variable.fidelity, trans) : ''
  ];
  return (
    <>
      {preview && <code>{preview}</code>}
      <small>{what.filter(part => part).join(' · ')}</small>
      {variable?.reason && <small>{variable.reason}</small>}
    </>
  );
}

/** How many differ, and how; in one line. */
function countWords(rows: IComparedRow[], trans: TranslationBundle): string {
  const count = (how: IComparedRow['how']) =>
    rows.filter(row => row.how === how).length;
  const [added, changed, removed] = [
    count('added'),
    count('changed'),
    count('removed')
  ];
  const same = count('same');
  const parts = [
    added ? trans.__('%1 new', String(added)) : '',
    changed ? trans.__('%1 changed', String(changed)) : '',
    removed ? trans.__('%1 gone', String(removed)) : ''
  ].filter(part => part);
  const all = parts.length ? parts : [trans.__('Nothing differs')];
  return `${[...all, trans.__('%1 the same', String(same))].join(', ')}.`;
}
