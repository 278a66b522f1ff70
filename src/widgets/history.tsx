import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { HistoryModel } from '../models/history';
import type { Checkpoint, ISearched } from '../tokens';

/** What the user can ask of one checkpoint. */
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
}

/** Why a checkpoint was made, in words. */
export function reasonWords(
  checkpoint: Checkpoint,
  trans: TranslationBundle
): string {
  switch (checkpoint.reason) {
    case 'save':
      return trans.__('Saved');
    case 'autosave':
      return trans.__('Saved by itself');
    case 'manual':
      return trans.__('Saved by hand');
    case 'before-restore':
      return trans.__('Before a restore');
    case 'before-delete':
      return trans.__('Before it was deleted');
    case 'external-change':
      return trans.__('Changed outside Jupyter');
    case 'restore':
      return trans.__('Restored');
    default:
      return trans.__('Taken over from elsewhere');
  }
}

/** How many cells differ from the checkpoint before, in words; empty where none does. */
export function countWords(
  checkpoint: Checkpoint,
  trans: TranslationBundle
): string {
  const { added, changed, removed } = checkpoint.counts;
  const parts: string[] = [];
  if (added) {
    parts.push(trans._n('%1 cell added', '%1 cells added', added));
  }
  if (changed) {
    parts.push(trans._n('%1 cell changed', '%1 cells changed', changed));
  }
  if (removed) {
    parts.push(trans._n('%1 cell removed', '%1 cells removed', removed));
  }
  return parts.join(', ');
}

/** The history of a document: one entry a checkpoint, by day, the newest first. */
export class HistoryWidget extends ReactWidget {
  constructor(
    private readonly model: HistoryModel,
    private readonly actions: IHistoryActions,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Rewind-history');
    this.node.tabIndex = -1;
  }

  /** Whoever opens it goes on with the keyboard there. */
  protected onActivateRequest(): void {
    (this.node.querySelector('input') ?? this.node).focus();
  }

  protected render(): React.ReactElement {
    const { model, actions, trans } = this;
    return (
      <UseSignal signal={model.changed}>
        {() => <Panel model={model} actions={actions} trans={trans} />}
      </UseSignal>
    );
  }
}

interface IPanelProps {
  model: HistoryModel;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

function Panel({ model, actions, trans }: IPanelProps): React.ReactElement {
  const { document, failure, history } = model;
  const list = React.useRef<HTMLDivElement>(null);
  const [current, setCurrent] = React.useState('');
  if (!document) {
    return (
      <p className="jp-Rewind-hint">
        {trans.__('Open a notebook or a text file to see its history.')}
      </p>
    );
  }
  const words = (one: Checkpoint) =>
    [
      reasonWords(one, trans),
      ...one.labels,
      one.note,
      new Date(one.time).toLocaleString(),
      one.time.slice(0, 10)
    ].join(' ');
  const shown = model.shown(words);
  const go = (id: string) => {
    setCurrent(id);
    list.current
      ?.querySelector(`[data-checkpoint="${id}"]`)
      ?.scrollIntoView({ block: 'center' });
  };
  const authors = history?.checkpoints.map(one => one.author) ?? [];
  const alone = new Set(authors).size <= 1;
  return (
    <>
      <header className="jp-Rewind-header">
        <h2 title={document.path}>{document.path.split('/').pop()}</h2>
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Filter by name, reason or date')}
          aria-label={trans.__('Filter checkpoints by name, reason or date')}
          value={model.filter}
          onChange={event => (model.filter = event.target.value)}
          onKeyDown={event => event.key === 'Enter' && actions.search()}
        />
        {model.filter.trim() && !model.searched && (
          <button className="jp-Rewind-link" onClick={actions.search}>
            {trans.__('Search all versions for “%1”', model.filter.trim())}
          </button>
        )}
        {shown.length > 2 && !model.searched && (
          <Slider checkpoints={shown} current={current} go={go} trans={trans} />
        )}
      </header>
      {failure && (
        <p className="jp-Rewind-failure" role="alert">
          {failure.message}{' '}
          <button
            className="jp-Rewind-link"
            onClick={() => void model.refresh()}
          >
            {trans.__('Try again')}
          </button>
        </p>
      )}
      {history && history.condition.state !== 'ok' && (
        <p className="jp-Rewind-failure" role="alert">
          {history.condition.words}
        </p>
      )}
      {model.searched ? (
        <Hits searched={model.searched} actions={actions} trans={trans} />
      ) : (
        <div
          className="jp-Rewind-list"
          ref={list}
          onScroll={({ currentTarget: { scrollHeight, scrollTop } }) => {
            const seen = scrollTop + 2 * (list.current?.clientHeight ?? 0);
            if (model.hasMore && !model.isAsking && seen > scrollHeight) {
              void model.more();
            }
          }}
        >
          {days(shown, trans).map(([day, checkpoints]) => (
            <section key={day} aria-label={day}>
              <h3>{day}</h3>
              <ul>
                {checkpoints.map(one => (
                  <Entry
                    key={one.id}
                    checkpoint={one}
                    isHead={one.id === history?.checkpoints[0]?.id}
                    isCurrent={one.id === current}
                    author={alone ? null : one.author}
                    state={history?.states[one.id]?.count}
                    actions={actions}
                    trans={trans}
                  />
                ))}
              </ul>
            </section>
          ))}
          {history && !shown.length && (
            <p className="jp-Rewind-hint">
              {model.filter
                ? trans.__('No checkpoint fits the filter.')
                : trans.__(
                    'Nothing is kept yet. Each save makes a checkpoint here.'
                  )}
            </p>
          )}
          {model.hasMore && (
            <button
              className="jp-Rewind-more jp-mod-styled"
              onClick={() => void model.more()}
            >
              {trans.__(
                'Show older ones (%1 in all)',
                String(history?.count ?? 0)
              )}
            </button>
          )}
        </div>
      )}
    </>
  );
}

interface ISliderProps {
  /** The newest first. */
  checkpoints: Checkpoint[];
  current: string;
  go: (id: string) => void;
  trans: TranslationBundle;
}

/** Goes through time: the oldest state on the left, the newest on the right. */
function Slider(props: ISliderProps): React.ReactElement {
  const { checkpoints, current, go, trans } = props;
  const last = checkpoints.length - 1;
  const found = checkpoints.findIndex(one => one.id === current);
  const at = found < 0 ? 0 : found;
  return (
    <input
      type="range"
      className="jp-Rewind-slider"
      min={0}
      max={last}
      value={last - at}
      aria-label={trans.__('Go through time')}
      aria-valuetext={new Date(checkpoints[at].time).toLocaleString()}
      title={new Date(checkpoints[at].time).toLocaleString()}
      onChange={event => go(checkpoints[last - Number(event.target.value)].id)}
    />
  );
}

interface IHitsProps {
  searched: ISearched;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

/** The versions in which a text was found. */
function Hits({ searched, actions, trans }: IHitsProps): React.ReactElement {
  const { hits, problems } = searched;
  return (
    <div className="jp-Rewind-list" role="status">
      {problems.map((words, number) => (
        <p key={number} className="jp-Rewind-failure" role="alert">
          {words}
        </p>
      ))}
      {!hits.length && (
        <p className="jp-Rewind-hint">
          {trans.__('No version of this document has that text.')}
        </p>
      )}
      <ul>
        {hits.map((hit, number) => (
          <li key={number} className="jp-Rewind-entry jp-mod-hit">
            <code>{hit.text.trim()}</code>
            <div className="jp-Rewind-what">
              {trans.__(
                'From %1 to %2',
                new Date(hit.first.time).toLocaleString(),
                new Date(hit.last.time).toLocaleString()
              )}
            </div>
            <div className="jp-Rewind-actions">
              <button
                className="jp-Rewind-link"
                onClick={() => actions.compare(hit.last)}
              >
                {trans.__('Compare')}
              </button>
              <button
                className="jp-Rewind-link"
                onClick={() => actions.restore(hit.last)}
              >
                {trans.__('Restore')}
              </button>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface IEntryProps {
  checkpoint: Checkpoint;
  isHead: boolean;
  /** Whether the slider stands on it. */
  isCurrent: boolean;
  /** Who made it, where that is worth telling. */
  author: string | null;
  /** The count of the cell whose kernel state belongs to it. */
  state: number | undefined;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

const Entry = React.memo(function Entry(
  props: IEntryProps
): React.ReactElement {
  const { checkpoint, isHead, isCurrent, author, state, actions, trans } =
    props;
  const time = new Date(checkpoint.time);
  const clock = time.toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit'
  });
  const what = [reasonWords(checkpoint, trans), countWords(checkpoint, trans)];
  return (
    <li
      className={`jp-Rewind-entry${isCurrent ? ' jp-mod-current' : ''}`}
      data-checkpoint={checkpoint.id}
    >
      <div className="jp-Rewind-when">
        <time dateTime={checkpoint.time} title={time.toLocaleString()}>
          {clock}
        </time>
        {isHead && (
          <span className="jp-Rewind-badge">{trans.__('newest')}</span>
        )}
        {checkpoint.pinned && (
          <span className="jp-Rewind-badge">{trans.__('pinned')}</span>
        )}
        {!checkpoint.readable && (
          <span className="jp-Rewind-badge jp-mod-lost">
            {trans.__('lost')}
          </span>
        )}
      </div>
      {checkpoint.labels.map(label => (
        <span key={label} className="jp-Rewind-label">
          {label}
          <button
            className="jp-Rewind-link"
            aria-label={trans.__('Take the name “%1” away', label)}
            onClick={() => actions.unname(checkpoint, label)}
          >
            ×
          </button>
        </span>
      ))}
      <div className="jp-Rewind-what">
        {what.filter(part => part).join(' · ')}
        {author ? ` · ${author}` : ''}
        {state ? ` · ${trans.__('kernel after [%1]', String(state))}` : ''}
      </div>
      <div className="jp-Rewind-actions">
        <button
          className="jp-Rewind-link"
          disabled={!checkpoint.readable}
          onClick={() => actions.restore(checkpoint)}
        >
          {trans.__('Restore')}
        </button>
        {state !== undefined && (
          <button
            className="jp-Rewind-link"
            disabled={!checkpoint.readable}
            title={trans.__(
              'Restore the notebook, and the variables of its running kernel'
            )}
            onClick={() => actions.restoreBoth(checkpoint)}
          >
            {trans.__('With variables')}
          </button>
        )}
        <button
          className="jp-Rewind-link"
          disabled={!checkpoint.readable}
          onClick={() => actions.compare(checkpoint)}
        >
          {trans.__('Compare')}
        </button>
        <button
          className="jp-Rewind-link"
          onClick={() => actions.name(checkpoint)}
        >
          {trans.__('Name…')}
        </button>
        <button
          className="jp-Rewind-link"
          aria-pressed={checkpoint.pinned}
          onClick={() => actions.pin(checkpoint)}
        >
          {checkpoint.pinned ? trans.__('Unpin') : trans.__('Pin')}
        </button>
      </div>
    </li>
  );
});

/** Groups checkpoints by the day of the user's own calendar, keeping their order. */
export function days(
  checkpoints: Checkpoint[],
  trans: TranslationBundle,
  now: Date = new Date()
): [string, Checkpoint[]][] {
  const groups = new Map<string, Checkpoint[]>();
  const today = now.toDateString();
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  for (const one of checkpoints) {
    const time = new Date(one.time);
    let day = time.toLocaleDateString([], { dateStyle: 'full' });
    if (time.toDateString() === today) {
      day = trans.__('Today');
    } else if (time.toDateString() === before.toDateString()) {
      day = trans.__('Yesterday');
    }
    const group = groups.get(day);
    if (group) {
      group.push(one);
    } else {
      groups.set(day, [one]);
    }
  }
  return [...groups];
}
