import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import {
  type ISurvey,
  type RecoveryModel,
  standingsIn
} from '../models/recovery';
import type { IRecovered, Overview, Standing } from '../tokens';
import { momentWords } from './historywords';

/** What the user can ask for once traces were found. */
export interface IRecoveryActions {
  /** Write the notebook that is shown as a new file, and open it. */
  write(path: string): void;
  undelete(overview: Overview): void;
}

interface IProps {
  model: RecoveryModel;
  actions: IRecoveryActions;
  trans: TranslationBundle;
}

/** What can be brought back: of a folder a list, of a notebook each cell with its origin. */
export class RecoveryWidget extends ReactWidget {
  constructor(private readonly props: IProps) {
    super();
    this.addClass('jp-Rewind-recovery');
    this.node.tabIndex = -1;
    props.model.changed.connect(() => {
      // What has the keyboard goes with the stage before.
      if (this.node.contains(document.activeElement)) {
        this.node.focus();
      }
    });
  }

  dispose(): void {
    this.props.model.dispose();
    super.dispose();
  }

  protected render(): React.ReactElement {
    return (
      <UseSignal signal={this.props.model.changed}>
        {() => <View {...this.props} />}
      </UseSignal>
    );
  }
}

function View({ model, actions, trans }: IProps): React.ReactElement {
  const { stage } = model;
  const place = stage.path || trans.__('all folders');
  switch (stage.name) {
    case 'looking':
      return (
        <p className="jp-Rewind-hint" role="status">
          {trans.__('Looking for traces of %1 …', place)}{' '}
          {trans.__('Only copies are read, and nothing is changed.')}
        </p>
      );
    case 'failed':
      return (
        <>
          <p className="jp-Rewind-failure" role="alert">
            {stage.why}
          </p>
          <p className="jp-Rewind-buttons">
            <Action onClick={() => void model.look(stage.path)}>
              {trans.__('Try again')}
            </Action>
            {stage.path.endsWith('.ipynb') && (
              <Action onClick={() => void model.look(model.folder)}>
                {trans.__('Look in the whole folder')}
              </Action>
            )}
          </p>
        </>
      );
    case 'folder':
      return (
        <Folder
          path={stage.path}
          survey={stage.survey}
          model={model}
          actions={actions}
          trans={trans}
        />
      );
    case 'notebook':
      return (
        <Notebook
          recovered={stage.recovered}
          model={model}
          actions={actions}
          trans={trans}
        />
      );
  }
}

function Notebook({
  recovered,
  model,
  actions,
  trans
}: IProps & { recovered: IRecovered }): React.ReactElement {
  const { path, page, report } = recovered;
  const name = path.split('/').pop() ?? path;
  const target = name.replace(/\.ipynb$/, '.recovered.ipynb');
  const hasOptions = report.next_steps.some(step => /(^|\s)--\w/.test(step));
  return (
    <>
      <header className="jp-Rewind-header">
        <h2>{trans.__('What can be brought back of %1', name)}</h2>
        <p className="jp-Rewind-what">
          {report.adds_nothing
            ? trans.__(
                '%1 is whole and holds all that was found. There is nothing to bring back.',
                name
              )
            : trans.__(
                'Nothing is written yet. The new file will be %1, or have a number where that exists; %2 stays as it is.',
                target,
                name
              )}
        </p>
        {hasOptions && (
          <p className="jp-Rewind-what">
            {trans.__(
              'What begins with “--” below is an option of “jupyter rewind recover %1” in a terminal.',
              name
            )}
          </p>
        )}
        <p className="jp-Rewind-buttons">
          <Action
            isMain={!report.adds_nothing}
            onClick={() => actions.write(path)}
          >
            {trans.__('Write and open it')}
          </Action>
          <Action onClick={() => void model.look(model.folder)}>
            {trans.__('Look in the whole folder')}
          </Action>
        </p>
      </header>
      <iframe
        className="jp-Rewind-page"
        sandbox=""
        srcDoc={inTheme(page)}
        title={trans.__('Each cell of %1 and where it is from', name)}
      />
    </>
  );
}

/** The page in JupyterLab's colours: it stands alone and knows the browser's only. */
function inTheme(page: string): string {
  const isDark = document.body.dataset.jpThemeLight === 'false';
  return page
    .replace('(prefers-color-scheme: dark)', isDark ? 'all' : 'not all')
    .replace(
      'color-scheme: light dark',
      `color-scheme: ${isDark ? 'dark' : 'light'}`
    );
}

function Folder({
  path,
  survey,
  model,
  actions,
  trans
}: IProps & { path: string; survey: ISurvey }): React.ReactElement {
  const { deleted, incomplete } = survey;
  const notebooks = standingsIn(survey);
  const gains = notebooks.filter(each => each.can_gain);
  const others = notebooks.filter(each => !each.can_gain);
  const show = (each: Standing) => void model.look(each.path);
  return (
    <>
      <header className="jp-Rewind-header">
        <h2>
          {path
            ? trans.__('What can be brought back in %1', path)
            : trans.__('What can be brought back here')}
        </h2>
        <p className="jp-Rewind-what">
          {trans.__('Nothing is written before you ask for it.')}
        </p>
      </header>
      <div className="jp-Rewind-list">
        {incomplete.map(each => (
          <p key={each} className="jp-Rewind-failure" role="alert">
            {each}
          </p>
        ))}
        {!gains.length && !deleted.length && !incomplete.length && (
          <p className="jp-Rewind-hint">
            {trans.__('Nothing was found that is not in the notebooks here.')}
          </p>
        )}
        {gains.length > 0 && (
          <section>
            <h3>{trans.__('Notebooks that can get something back')}</h3>
            <ul>
              {gains.map(each => (
                <Row key={each.path} standing={each}>
                  <Action isMain onClick={() => show(each)}>
                    {trans.__('Show what')}
                  </Action>
                </Row>
              ))}
            </ul>
          </section>
        )}
        {deleted.length > 0 && (
          <section>
            <h3>{trans.__('Deleted files')}</h3>
            <ul>
              {deleted.map(each => (
                <Deleted
                  key={each.history}
                  overview={each}
                  model={model}
                  actions={actions}
                  trans={trans}
                />
              ))}
            </ul>
          </section>
        )}
        {others.length > 0 && (
          <details>
            <summary>
              {trans._n(
                '%1 other notebook',
                '%1 other notebooks',
                others.length
              )}
            </summary>
            <ul>
              {others.map(each => (
                <Row key={each.path} standing={each}>
                  <Action onClick={() => show(each)}>
                    {trans.__('Look closer')}
                  </Action>
                </Row>
              ))}
            </ul>
          </details>
        )}
        <Rest survey={survey} trans={trans} />
      </div>
    </>
  );
}

/** Where it was looked, what could not be read, and what belongs to no notebook. */
function Rest({
  survey,
  trans
}: {
  survey: ISurvey;
  trans: TranslationBundle;
}): React.ReactElement {
  const { loose, places, problems } = survey.found;
  return (
    <>
      {problems.length > 0 && (
        <details open>
          <summary>{trans.__('What could not be read')}</summary>
          <ul>
            {problems.map((each, number) => (
              <li key={number} className="jp-Rewind-entry">
                {each.words} <code>{each.place}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
      {loose.length > 0 && (
        <details>
          <summary>{trans.__('Traces that name no notebook')}</summary>
          <ul>
            {loose.map((each, number) => (
              <li key={number} className="jp-Rewind-entry">
                {each.words} <code>{each.place}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{trans.__('Where it was looked')}</summary>
        <ul>
          {places.map((each, number) => (
            <li key={number} className="jp-Rewind-entry">
              {each.title}: <code>{each.where}</code>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function Row({
  standing,
  children
}: React.PropsWithChildren<{ standing: Standing }>): React.ReactElement {
  return (
    <li className="jp-Rewind-entry" data-path={standing.path}>
      <div className="jp-Rewind-when">{standing.path}</div>
      <div className="jp-Rewind-what">{standing.words}</div>
      <div className="jp-Rewind-actions">{children}</div>
    </li>
  );
}

function Deleted({
  overview,
  model,
  actions,
  trans
}: IProps & { overview: Overview }): React.ReactElement {
  const last = overview.last ? momentWords(Date.parse(overview.last)) : '';
  return (
    <li className="jp-Rewind-entry" data-path={overview.path}>
      <div className="jp-Rewind-when">{overview.path}</div>
      <div className="jp-Rewind-what">
        {trans._n(
          '%1 kept state, from %2',
          '%1 kept states, the last from %2',
          overview.count,
          last
        )}
      </div>
      <div className="jp-Rewind-actions">
        <Action isMain onClick={() => actions.undelete(overview)}>
          {trans.__('Undelete')}
        </Action>
        {overview.path.endsWith('.ipynb') && (
          <Action onClick={() => void model.look(overview.path)}>
            {trans.__('Look closer')}
          </Action>
        )}
      </div>
    </li>
  );
}

function Action({
  isMain,
  onClick,
  children
}: React.PropsWithChildren<{
  isMain?: boolean;
  onClick: () => void;
}>): React.ReactElement {
  return (
    <button
      className={`jp-mod-styled ${isMain ? 'jp-mod-accept' : 'jp-mod-reject'}`}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
