import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { ISearched } from '../tokens';
import { type IHistoryActions, Link } from './historyentries';
import { momentWords } from './historywords';

interface IHitsProps {
  searched: ISearched;
  actions: IHistoryActions;
  trans: TranslationBundle;
}

/** The versions in which a text was found. */
export function Hits({
  searched,
  actions,
  trans
}: IHitsProps): React.ReactElement {
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
              {hit.first.id === hit.last.id
                ? momentWords(new Date(hit.last.time).getTime())
                : trans.__(
                    'From %1 to %2',
                    momentWords(new Date(hit.first.time).getTime()),
                    momentWords(new Date(hit.last.time).getTime())
                  )}
            </div>
            <div className="jp-Rewind-actions">
              <Link act={() => actions.compare(hit.last)}>
                {trans.__('Compare')}
              </Link>
              <Link act={() => actions.restore(hit.last)}>
                {trans.__('Restore')}
              </Link>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
