import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { Copies } from '../models/copies';
import { sizeWords } from '../models/sizes';
import type { Health } from '../tokens';
import { durationWords } from './historywords';
import type { IWords } from './standing';

type Replica = Health['replicas'][number];

/** What the status bar says of the store, its copies elsewhere and its quota; null for nothing. */
export function copiesWords(
  health: Pick<Health, 'replicas' | 'quota' | 'store'>,
  trans: TranslationBundle
): IWords | null {
  const { replicas, quota } = health;
  const { error } = health.store;
  if (error) {
    return {
      short: trans.__('History not kept'),
      long: [
        trans.__(
          'Files are saved as ever, but no checkpoints are made of them.'
        ),
        error.message,
        error.hint
      ].join(' '),
      isBad: true
    };
  }
  const sentences = replicas.map(each => replicaWords(each, trans));
  const isTight = quota !== null && quota.state !== 'within';
  if (isTight) {
    sentences.push(
      trans.__(
        '%1 of the store’s quota of %2 are used; beyond it the oldest checkpoints and states expire first.',
        sizeWords(quota.used_bytes),
        sizeWords(quota.limit_bytes)
      )
    );
  }
  if (!sentences.length) {
    return null;
  }
  const failing = replicas.filter(each => each.state === 'failing');
  const late = replicas.filter(
    each => each.behind_records || each.behind_bytes
  );
  const records = Math.max(0, ...late.map(each => each.behind_records));
  let short = trans.__('Copied');
  if (failing.length) {
    short = trans.__('Not copied');
  } else if (isTight) {
    short = trans.__('Store nearly full');
  } else if (late.length) {
    short = trans.__(
      'Copying: %1 to go',
      records || sizeWords(late[0].behind_bytes)
    );
  } else if (replicas.every(each => each.state === 'unknown')) {
    short = trans.__('Copies not looked at yet');
  }
  return {
    short,
    long: sentences.join(' '),
    isBad: failing.length > 0 || isTight
  };
}

function replicaWords(replica: Replica, trans: TranslationBundle): string {
  const { url, error, mend, behind_bytes, behind_records } = replica;
  if (replica.state === 'unknown') {
    return trans.__('%1 was not looked at yet.', url);
  }
  if (!behind_bytes && replica.state === 'current') {
    return trans.__('%1 has everything.', url);
  }
  const isBehind =
    replica.state !== 'failing' || behind_bytes > 0 || behind_records > 0;
  const lacks = isBehind
    ? trans.__(
        '%1 lacks %2 records, %3, the oldest of them from %4 ago.',
        url,
        behind_records,
        sizeWords(behind_bytes),
        durationWords(replica.behind_seconds * 1000)
      )
    : trans.__('Nothing waits for %1, but copying there fails.', url);
  const why = error ? ` ${error.message}` : '';
  const help = mend ? ` ${trans.__('This helps: %1', mend)}` : '';
  return `${lacks}${why}${help}`;
}

/** Says in the status bar that nothing is kept, or how far behind the copies elsewhere are. */
export class CopiesWidget extends ReactWidget {
  constructor(
    private readonly copies: Copies,
    private readonly trans: TranslationBundle,
    private readonly act: (words: IWords) => void
  ) {
    super();
    this.addClass('jp-Rewind-copies');
    copies.changed.connect(this.update, this);
  }

  get words(): IWords | null {
    const { health } = this.copies;
    return health ? copiesWords(health, this.trans) : null;
  }

  protected render(): React.ReactElement | null {
    const { words } = this;
    if (!words) {
      return null;
    }
    return (
      <button
        type="button"
        className={words.isBad ? 'jp-mod-bad' : ''}
        title={words.long}
        onMouseDown={event => event.preventDefault()}
        onClick={() => this.act(words)}
      >
        {words.short}
      </button>
    );
  }
}
