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
    <div className="jp-Rewind-list">
      {problems.map((words, number) => (
        <p key={number} className="jp-Rewind-failure" role="alert">
          {words}
        </p>
      ))}
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
              <Link
                disabled={!hit.last.readable}
                act={() => actions.compare(hit.last)}
              >
                {trans.__('Compare')}
              </Link>
              <Link
                disabled={!hit.last.readable}
                act={() => actions.restore(hit.last)}
              >
                {trans.__('Restore')}
              </Link>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How much was found. */
export function foundWords(
  { count, hits }: ISearched,
  trans: TranslationBundle
): string {
  if (!count) {
    return trans.__('No version of this document has that text.');
  }
  return hits.length < count
    ? trans.__('The newest %1 of %2 places', String(hits.length), String(count))
    : trans._n('%1 place', '%1 places', count);
}
