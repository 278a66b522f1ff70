import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { HistoryEntry } from '../models/entries';
import { sizeWords } from '../models/sizes';
import type { Checkpoint, Execution, Snapshot } from '../tokens';
import {
  clockWords,
  countWords,
  durationWords,
  endWords,
  momentWords,
  reasonWords,
  stateWords
} from './historywords';

/** What the user can ask of one entry. */
export interface IHistoryActions {
  restore(checkpoint: Checkpoint): void;
  /** The variables of the running kernel, too. */
  restoreBoth(checkpoint: Checkpoint): void;
  /** Look for the filter's text in all versions. */
  search(): void;
  compare(checkpoint: Checkpoint): void;
  name(checkpoint: Checkpoint): void;
  unname(checkpoint: Checkpoint, label: string): void;
  pin(checkpoint: Checkpoint): void;
  /** Show the variables of a state. */
  variables(state: Snapshot): void;
  /** Show a state beside another one or the running kernel. */
  compareStates(state: Snapshot): void;
  /** The running kernel has the variables of a state again. */
  restoreState(state: Snapshot): void;
}

interface IEntryProps {
  entry: HistoryEntry;
  isHead: boolean;
  /** Whether the slider stands on it. */
  isCurrent: boolean;
  /** Whether it is worth telling who made it. */
  withAuthor: boolean;
  /** The count of the cell whose kernel state belongs to it. */
  stateOf: number | undefined;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

/** One entry of a history, whatever its kind. */
export const Entry = React.memo(function Entry(
  props: IEntryProps
): React.ReactElement {
  const { entry, actions, trans } = props;
  switch (entry.kind) {
    case 'checkpoint':
      return <CheckpointEntry {...props} checkpoint={entry.checkpoint} />;
    case 'execution':
      return (
        <ExecutionEntry
          execution={entry.execution}
          time={entry.time}
          trans={trans}
        />
      );
    case 'state':
      return (
        <StateEntry
          state={entry.state}
          time={entry.time}
          actions={actions}
          trans={trans}
        />
      );
  }
});

/** The time of day, with the whole moment where it is pointed at. */
function Clock({ time }: { time: number }): React.ReactElement {
  const iso = new Date(time).toISOString();
  return (
    <time dateTime={iso} title={momentWords(time)}>
      {clockWords(time)}
    </time>
  );
}

function CheckpointEntry(
  props: IEntryProps & { checkpoint: Checkpoint }
): React.ReactElement {
  const { checkpoint, isHead, isCurrent, stateOf, actions, trans } = props;
  const author = props.withAuthor ? checkpoint.author : null;
  const kernel = stateOf
    ? trans.__('kernel after [%1]', String(stateOf))
    : null;
  const what = [
    reasonWords(checkpoint, trans),
    countWords(checkpoint, trans),
    author,
    kernel
  ];
  return (
    <div
      className={`jp-Rewind-entry${isCurrent ? ' jp-mod-current' : ''}`}
      data-checkpoint={checkpoint.id}
    >
      <div className="jp-Rewind-when">
        <Clock time={props.entry.time} />
        {isHead && (
          <span className="jp-Rewind-badge">{trans.__('newest')}</span>
        )}
        {!checkpoint.readable && (
          <span className="jp-Rewind-badge jp-mod-lost">
            {trans.__('lost')}
          </span>
        )}
        <Pin
          isPinned={checkpoint.pinned}
          act={() => actions.pin(checkpoint)}
          trans={trans}
        />
      </div>
      {checkpoint.labels.map(label => (
        <span key={label} className="jp-Rewind-label">
          {label}
          <button
            className="jp-Rewind-link"
            aria-label={trans.__('Take the name “%1” away', label)}
            onClick={event => {
              passFocus(event.currentTarget);
              actions.unname(checkpoint, label);
            }}
          >
            ×
          </button>
        </span>
      ))}
      <div className="jp-Rewind-what">
        {what.filter(part => part).join(' · ')}
      </div>
      <div className="jp-Rewind-actions">
        <Link
          disabled={!checkpoint.readable}
          act={() => actions.restore(checkpoint)}
        >
          {trans.__('Restore')}
        </Link>
        {stateOf !== undefined && (
          <Link
            disabled={!checkpoint.readable}
            title={trans.__(
              'Restore the notebook, and the variables of its running kernel'
            )}
            act={() => actions.restoreBoth(checkpoint)}
          >
            {trans.__('With variables')}
          </Link>
        )}
        <Link
          disabled={!checkpoint.readable}
          act={() => actions.compare(checkpoint)}
        >
          {trans.__('Compare')}
        </Link>
        <Link act={() => actions.name(checkpoint)}>{trans.__('Name…')}</Link>
      </div>
    </div>
  );
}

/** A button that goes by its own work hands the keyboard to the last one of its entry. */
function passFocus(button: HTMLElement): void {
  const all = button
    .closest('.jp-Rewind-entry')
    ?.querySelectorAll<HTMLElement>('.jp-Rewind-actions button');
  all?.[all.length - 1]?.focus();
}

interface IPinProps {
  isPinned: boolean;
  act: () => void;
  trans: TranslationBundle;
}

/** Says in one word whether it is pinned, and changes that: the sidebar has no room for two. */
function Pin({ isPinned, act, trans }: IPinProps): React.ReactElement {
  return (
    <span className={`jp-Rewind-pin${isPinned ? ' jp-Rewind-badge' : ''}`}>
      {isPinned && <span>{trans.__('pinned')}</span>}
      <button
        className="jp-Rewind-link"
        aria-label={isPinned ? trans.__('Unpin') : undefined}
        title={
          isPinned
            ? trans.__('Unpin: it may expire again')
            : trans.__('Keep it from expiring')
        }
        onClick={act}
      >
        {isPinned ? '×' : trans.__('Pin')}
      </button>
    </span>
  );
}

interface IExecutionProps {
  execution: Execution;
  time: number;
  trans: TranslationBundle;
}

function ExecutionEntry(props: IExecutionProps): React.ReactElement {
  const { execution, time, trans } = props;
  const { count, finished_ns, line, lines, problem, started_ns } = execution;
  const end = endWords(execution, trans);
  const isBad = !execution.running && execution.status !== 'ok';
  const took =
    finished_ns === null ? '' : durationWords((finished_ns - started_ns) / 1e6);
  const further = lines > 1 ? trans._n('%1 line', '%1 lines', lines) : '';
  return (
    <div
      className="jp-Rewind-entry jp-mod-execution"
      data-execution={execution.id}
    >
      <div className="jp-Rewind-line">
        <span className="jp-Rewind-count">[{count || ' '}]</span>
        <code title={line}>{line || problem}</code>
      </div>
      <div className="jp-Rewind-what">
        <Clock time={time} />
        {[took, further].filter(part => part).map(part => ` · ${part}`)}
        {end && (
          <>
            {' · '}
            <span className={isBad ? 'jp-Rewind-bad' : ''}>{end}</span>
          </>
        )}
      </div>
    </div>
  );
}

interface IStateProps {
  state: Snapshot;
  time: number;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

function StateEntry(props: IStateProps): React.ReactElement {
  const { state, time, actions, trans } = props;
  const kept = state.variables;
  const all = kept.exact + kept.rebuilt + kept['by reference'] + kept.missing;
  const what = [
    trans._n('%1 variable', '%1 variables', all),
    kept.missing ? trans.__('%1 not kept', String(kept.missing)) : '',
    state.new_bytes ? trans.__('%1 new', sizeWords(state.new_bytes)) : ''
  ];
  return (
    <div className="jp-Rewind-entry jp-mod-state" data-state={state.id}>
      <div className="jp-Rewind-when">
        <span>{stateWords(state, trans)}</span>
        {state.pinned && (
          <span className="jp-Rewind-badge">{trans.__('pinned')}</span>
        )}
      </div>
      {state.labels.map(label => (
        <span key={label} className="jp-Rewind-label">
          {label}
        </span>
      ))}
      <div className="jp-Rewind-what">
        <Clock time={time} />
        {what.filter(part => part).map(part => ` · ${part}`)}
      </div>
      <div className="jp-Rewind-actions">
        <Link act={() => actions.variables(state)}>
          {trans.__('Variables')}
        </Link>
        <Link
          title={trans.__('Show this state beside another one, or beside now')}
          act={() => actions.compareStates(state)}
        >
          {trans.__('Compare')}
        </Link>
        <Link
          title={trans.__(
            'Bring all variables of the running kernel back to this state'
          )}
          act={() => actions.restoreState(state)}
        >
          {trans.__('Restore variables')}
        </Link>
      </div>
    </div>
  );
}

interface ILinkProps {
  act: () => void;
  disabled?: boolean;
  title?: string;
  children: React.ReactNode;
}

/** A button that looks like a link. */
export function Link(props: ILinkProps): React.ReactElement {
  return (
    <button
      className="jp-Rewind-link"
      disabled={props.disabled}
      title={props.title}
      onClick={props.act}
    >
      {props.children}
    </button>
  );
}
