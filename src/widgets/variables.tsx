import { MainAreaWidget, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { sizeWords } from '../models/sizes';
import { type IVariableRow, variableRows } from '../models/variables';
import type { IVariables } from '../tokens';
import { momentWords, stateWords } from './historywords';

/** What a view of a state's variables shows, and what the user can ask of them. */
export interface IVariablesOptions {
  path: string;
  variables: IVariables;
  /** One of them is in the running kernel again. */
  bringBack: (name: string) => void;
  trans: TranslationBundle;
}

/** The variables of a state, in a tab of their own. */
export function variablesWidget(
  options: IVariablesOptions
): MainAreaWidget<ReactWidget> {
  const { path, trans, variables } = options;
  const content = ReactWidget.create(<Variables {...options} />);
  content.addClass('jp-Rewind-variables');
  const widget = new MainAreaWidget({ content });
  const name = path.split('/').pop() ?? path;
  widget.title.label = `${name}: ${stateWords(variables.snapshot, trans)}`;
  widget.title.caption = widget.title.label;
  widget.title.icon = historyIcon;
  widget.title.closable = true;
  return widget;
}

function Variables(props: IVariablesOptions): React.ReactElement {
  const { bringBack, path, trans, variables } = props;
  const { before, snapshot } = variables;
  const [onlyChanged, setOnlyChanged] = React.useState(false);
  const rows = React.useMemo(() => variableRows(variables), [variables]);
  const changed = rows.filter(row => row.change);
  const shown = onlyChanged ? changed : rows;
  const when = momentWords(snapshot.time_ns / 1e6);
  return (
    <>
      <h2>
        {path.split('/').pop()}: {stateWords(snapshot, trans)}
      </h2>
      <p>
        {when}
        {' · '}
        {trans._n('%1 variable', '%1 variables', variables.report.length)}
        {' · '}
        {before
          ? trans.__(
              '%1 changed since the %2',
              String(changed.length),
              stateWords(before, trans).toLocaleLowerCase()
            )
          : trans.__('There is no state before to compare with.')}
      </p>
      {before && (
        <label>
          <input
            type="checkbox"
            checked={onlyChanged}
            onChange={event => setOnlyChanged(event.target.checked)}
          />
          {trans.__('Only what changed')}
        </label>
      )}
      {shown.length ? (
        <table>
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Type')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Change')}</th>
              <th scope="col">{trans.__('Kept')}</th>
              <th scope="col">{trans.__('Preview')}</th>
              <th scope="col">
                <span className="jp-Rewind-unseen">{trans.__('Actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(row => (
              <VariableRow
                key={row.name}
                row={row}
                bringBack={bringBack}
                trans={trans}
              />
            ))}
          </tbody>
        </table>
      ) : (
        <p>
          {onlyChanged
            ? trans.__('Nothing changed.')
            : trans.__('There was no variable.')}
        </p>
      )}
    </>
  );
}

interface IRowProps {
  row: IVariableRow;
  bringBack: (name: string) => void;
  trans: TranslationBundle;
}

function VariableRow({ row, bringBack, trans }: IRowProps): React.ReactElement {
  const { change, name, preview, size, type, variable } = row;
  const isThere = variable !== null && variable.fidelity !== 'missing';
  return (
    <tr data-variable={name} className={variable ? '' : 'jp-mod-gone'}>
      <th scope="row">{name}</th>
      <td>{type}</td>
      <td className="jp-mod-number">{size ? sizeWords(size) : ''}</td>
      <td>
        {change && (
          <span className={`jp-Rewind-badge jp-mod-${change.how}`}>
            {changeWords(change.how, trans)}
          </span>
        )}
        {change?.how === 'changed' && change.before && (
          <small>{trans.__('was: %1', change.before)}</small>
        )}
      </td>
      <td>
        {variable && fidelityWords(variable.fidelity, trans)}
        {variable?.reason && <small>{variable.reason}</small>}
      </td>
      <td>
        <code>{preview}</code>
      </td>
      <td>
        {isThere && (
          <button
            className="jp-Rewind-link"
            aria-label={trans.__('Bring %1 back', name)}
            title={trans.__('Put it into the running kernel; all else stays')}
            onClick={() => bringBack(name)}
          >
            {trans.__('Bring back')}
          </button>
        )}
      </td>
    </tr>
  );
}

/** What became of a variable, in a word. */
export function changeWords(
  how: 'added' | 'changed' | 'removed',
  trans: TranslationBundle
): string {
  switch (how) {
    case 'added':
      return trans.__('new');
    case 'changed':
      return trans.__('changed');
    case 'removed':
      return trans.__('gone');
  }
}

/** How faithfully a variable is kept, in words. */
export function fidelityWords(
  fidelity: 'exact' | 'rebuilt' | 'by reference' | 'missing',
  trans: TranslationBundle
): string {
  switch (fidelity) {
    case 'exact':
      return trans.__('exact');
    case 'rebuilt':
      return trans.__('rebuilt');
    case 'by reference':
      return trans.__('by reference');
    case 'missing':
      return trans.__('missing');
  }
}
