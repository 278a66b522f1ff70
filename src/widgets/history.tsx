import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import React from 'react';

import type { Kind } from '../models/entries';
import { widthOf } from '../models/graph';
import type { HistoryModel } from '../models/history';
import { graphOf, type Row, withDays } from '../models/rows';
import type { History } from '../tokens';
import { Graph, graphWidth } from './graph';
import { Entry, type IHistoryActions, Link } from './historyentries';
import { foundWords, Hits } from './historyhits';
import { dayWords, filterWords, momentWords } from './historywords';
import { whyOf } from './why';
import { Windowed } from './windowed';

/** The history of a document by day, the newest entry first. */
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

  protected onAfterShow(): void {
    this.model.isLookedAt = this.isVisible;
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.model.isLookedAt = this.isVisible;
  }

  protected onAfterHide(): void {
    this.model.isLookedAt = false;
  }

  protected render(): React.ReactElement {
    const { model, actions, trans } = this;
    return (
      <UseSignal signal={model.changed}>
        {() =>
          model.document ? (
            <Panel
              key={model.document.path}
              model={model}
              actions={actions}
              trans={trans}
            />
          ) : (
            <p className="jp-Rewind-hint">
              {model.isElsewhere
                ? trans.__('No history is kept here of files on another drive.')
                : trans.__(
                    'Open a notebook or a text file to see its history.'
                  )}
            </p>
          )
        }
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
  const { failure, filter, history, isSearching, searched } = model;
  const [goal, setGoal] = React.useState<number | null>(null);
  const path = model.document?.path ?? '';
  const field = React.useRef<HTMLInputElement>(null);
  /** What goes by its own work hands the keyboard on. */
  const fromField = (act: () => void) => () => {
    field.current?.focus();
    act();
  };
  // A newer one shifts the numbers.
  React.useEffect(() => setGoal(null), [model.checkpoints[0]?.id]);
  return (
    <>
      <header className="jp-Rewind-header">
        <h2 title={path}>{path.split('/').pop()}</h2>
        <input
          ref={field}
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Filter or search')}
          aria-label={trans.__(
            'Filter by name, reason or date; Enter searches all versions'
          )}
          value={filter}
          onChange={event => (model.filter = event.target.value)}
          onKeyDown={event => event.key === 'Enter' && actions.search()}
        />
        {filter.trim() && !searched && !isSearching && (
          <Link act={fromField(actions.search)}>
            {trans.__('Search all versions for “%1”', filter.trim())}
          </Link>
        )}
        {!searched && model.document?.isNotebook && (
          <Kinds model={model} trans={trans} />
        )}
        {!searched && model.kinds.has('checkpoint') && (
          <Slider model={model} goal={goal} go={setGoal} trans={trans} />
        )}
      </header>
      {failure && (
        <p className="jp-Rewind-failure" role="alert">
          {whyOf(failure, trans)}{' '}
          <Link act={() => void model.refresh()}>{trans.__('Try again')}</Link>
        </p>
      )}
      {history && <Troubles history={history} />}
      <Search
        model={model}
        leave={fromField(() => (model.filter = ''))}
        trans={trans}
      />
      {searched ? (
        <Hits searched={searched} actions={actions} trans={trans} />
      ) : (
        <List model={model} goal={goal} actions={actions} trans={trans} />
      )}
    </>
  );
}

/** What is wrong with the file, and what may be missing in its history, in the server's words. */
export function Troubles({
  history
}: {
  history: History;
}): React.ReactElement {
  const { condition, incomplete } = history;
  const words = condition.state === 'ok' ? [] : [condition.words];
  return (
    <>
      {[...words, ...incomplete].map(each => (
        <p key={each} className="jp-Rewind-failure" role="alert">
          {each}
        </p>
      ))}
    </>
  );
}

/** What became of a search in all versions, and the way back; a screen reader hears of it. */
function Search(props: {
  model: HistoryModel;
  leave: () => void;
  trans: TranslationBundle;
}): React.ReactElement {
  const { leave, model, trans } = props;
  const { isSearching, searched } = model;
  const isShown = isSearching || searched;
  return (
    <div className={isShown ? 'jp-Rewind-found' : ''}>
      <span role="status">
        {isSearching ? trans.__('Searching all versions…') : ''}
        {searched ? foundWords(searched, trans) : ''}
      </span>
      {isShown && <Link act={leave}>{trans.__('Back to the history')}</Link>}
    </div>
  );
}

/** Which kinds of entries are listed. */
function Kinds(props: {
  model: HistoryModel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { model, trans } = props;
  const kinds: [Kind, string, string][] = [
    [
      'checkpoint',
      trans.__('Checkpoints'),
      trans.__('Kept states of the file')
    ],
    ['execution', trans.__('Runs'), trans.__('Each run of each cell')],
    [
      'state',
      trans.__('States'),
      trans.__('The variables of the kernel after each cell')
    ]
  ];
  return (
    <div
      className="jp-Rewind-kinds"
      role="group"
      aria-label={trans.__('What is listed')}
    >
      {kinds.map(([kind, label, title]) => (
        <button
          key={kind}
          title={title}
          aria-pressed={model.kinds.has(kind)}
          onClick={() => model.toggle(kind)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

interface ISliderProps {
  model: HistoryModel;
  /** The number of the checkpoint that it stands on, counted from the newest. */
  goal: number | null;
  go: (goal: number) => void;
  trans: TranslationBundle;
}

/** Goes through time: the oldest checkpoint on the left, the newest on the right. */
function Slider(props: ISliderProps): React.ReactElement | null {
  const { model, go, trans } = props;
  const count = model.history?.count ?? 0;
  if (count < 3 || model.filter.trim()) {
    return null;
  }
  const last = count - 1;
  const at = Math.min(props.goal ?? 0, last);
  const there = model.checkpoints[at];
  const words = there
    ? momentWords(new Date(there.time).getTime())
    : trans.__('Checkpoint %1 of %2', String(count - at), String(count));
  return (
    <input
      type="range"
      className="jp-Rewind-slider"
      min={0}
      max={last}
      value={last - at}
      aria-label={trans.__('Go through time')}
      aria-valuetext={words}
      title={words}
      onChange={event => go(last - Number(event.target.value))}
    />
  );
}

interface IListProps extends IPanelProps {
  goal: number | null;
}

const GUESSES = { day: 29, checkpoint: 70, execution: 50, state: 70 };

function List(props: IListProps): React.ReactElement {
  const { model, actions, trans } = props;
  const { filter, hasMore } = model;
  const entries = model.shown(entry => filterWords(entry, trans));
  const rows = React.useMemo(() => withDays(entries), [entries]);
  const isFiltered = Boolean(filter.trim());
  // Lines between entries of which some are left out would tell a lie.
  const graph = React.useMemo(
    () => (isFiltered ? [] : graphOf(rows, hasMore)),
    [rows, isFiltered, hasMore]
  );
  const width = React.useMemo(() => graphWidth(widthOf(graph)), [graph]);
  const checkpoints = React.useMemo(() => model.checkpoints, [entries]);
  const withAuthor = React.useMemo(
    () => new Set(checkpoints.map(one => one.author)).size > 1,
    [checkpoints]
  );
  const goal = useGoal(model, rows, props.goal);
  const render = (row: Row, at: number) => (
    <div className="jp-Rewind-row">
      {graph[at] && width > 0 && (
        <Graph row={graph[at]} width={width} kind={row.kind} />
      )}
      {row.kind === 'day' ? (
        <h3>{dayWords(row.time, trans)}</h3>
      ) : (
        <Entry
          entry={row}
          isHead={row.id === checkpoints[0]?.id}
          isCurrent={row.id === goal?.id}
          withAuthor={withAuthor}
          stateOf={model.stateOf(row.id)}
          actions={actions}
          trans={trans}
        />
      )}
    </div>
  );
  return (
    <>
      {!rows.length && !model.isAsking && !model.failure && (
        <p className="jp-Rewind-hint">
          {isFiltered
            ? trans.__('Nothing at hand fits the filter.')
            : emptyWords(model, trans)}
        </p>
      )}
      <Windowed
        items={rows}
        keyOf={row => row.id}
        guess={row => GUESSES[row.kind]}
        render={render}
        goal={goal}
        heading={at => <h3>{dayWords(rows[at].time, trans)}</h3>}
        onEnd={() => !isFiltered && hasMore && void model.more()}
        label={trans.__('History')}
      />
      {hasMore && isFiltered && (
        <button
          className="jp-Rewind-more jp-mod-styled"
          onClick={() => void model.more()}
        >
          {trans.__('Look through older ones, too')}
        </button>
      )}
    </>
  );
}

function emptyWords(model: HistoryModel, trans: TranslationBundle): string {
  if (!model.kinds.size) {
    return trans.__('Choose above what is to be listed.');
  }
  return model.kinds.has('checkpoint')
    ? trans.__('Nothing is kept yet. Each save makes a checkpoint here.')
    : trans.__('Nothing has run yet. Each run of a cell is listed here.');
}

interface IGoal {
  id: string;
  position: number;
  request: number;
}

/** The row of the checkpoint to go to, once it is at hand: it is fetched where it is not. */
function useGoal(
  model: HistoryModel,
  rows: Row[],
  number: number | null
): IGoal | null {
  const there = number === null ? undefined : model.checkpoints[number];
  const position = there ? rows.findIndex(row => row.id === there.id) : -1;
  React.useEffect(() => {
    if (number === null || position >= 0) {
      return;
    }
    if (!there) {
      void model.reach(number + 1);
    } else if (model.hasMore) {
      void model.more();
    }
  }, [number, rows]);
  return number === null || !there || position < 0
    ? null
    : { id: there.id, position, request: number };
}
