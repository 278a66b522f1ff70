import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ISignal, Signal } from '@lumino/signaling';
import React from 'react';

import type { SaveState, Saving } from '../models/saving';
import type { DraftPlace } from '../tokens';

/** What is known of the edits of the document that the user looks at. */
export interface ICondition {
  saving: Saving;
  isAway: boolean;
  /** Whether JupyterLab asks something: a save may be what waits for the answer. */
  isAsked: boolean;
  /** Whether it is saved without anybody asking for it. */
  isAutosaved: boolean;
  /** Where the edits that are not in the file are kept. */
  draft: DraftPlace | null;
}

/** A document's standing in a word or two, and in a sentence. */
export interface IWords {
  short: string;
  long: string;
  /** Whether the user should do something. */
  isBad: boolean;
}

/** What the status bar says of a document. */
export function standingWords(
  condition: ICondition,
  trans: TranslationBundle
): IWords {
  const { saving, isAway, isAsked, isAutosaved, draft } = condition;
  const standing: SaveState =
    isAway && saving.standing === 'unsaved' ? 'offline' : saving.standing;
  const kept =
    draft === 'server'
      ? trans.__('The edits are kept as a draft on the server.')
      : draft === 'sending'
        ? trans.__(
            'The edits are kept as a draft on the server; the latest are on their way there.'
          )
        : draft === 'browser' && isAway
          ? trans.__('The edits are kept as a draft in this browser.')
          : draft === 'browser'
            ? trans.__(
                'The edits are kept as a draft in this browser: the server does not take them now. Where you are signed out, sign in again in another tab.'
              )
            : trans.__(
                'What is not in the file yet is in this tab only; what cells put out is in the journal of their kernel, too.'
              );
  switch (standing) {
    case 'saved': {
      const at = saving.savedAt;
      const time = at === null ? '' : clock(at);
      return good(
        time ? trans.__('Saved at %1', time) : trans.__('Saved'),
        trans.__('The file holds all that you see.')
      );
    }
    case 'saving':
      return isAsked
        ? good(
            trans.__('Not saved yet'),
            `${trans.__('Saving waits for your answer to the question on the screen.')} ${kept}`
          )
        : good(trans.__('Saving…'), trans.__('The file is being written.'));
    case 'live':
      return liveWords(condition, kept, trans);
    case 'unsaved':
      return good(
        draft === null
          ? trans.__('Unsaved')
          : draft === 'browser'
            ? trans.__('Kept in this browser')
            : trans.__('Kept as draft'),
        kept
      );
    case 'read-only':
      return saving.isChanged
        ? bad(
            trans.__('Read-only'),
            trans.__('This file cannot be written. Save it under another name.')
          )
        : good(trans.__('Read-only'), trans.__('This file cannot be written.'));
    case 'offline':
      return bad(
        draft ? trans.__('Offline, kept as draft') : trans.__('Offline'),
        isAutosaved
          ? `${trans.__('The server does not answer; it is saved when it does.')} ${kept}`
          : `${trans.__('The server does not answer. Autosave is off: save when it does.')} ${kept}`
      );
    case 'conflict':
      return bad(
        trans.__('Not saved: changed on disk'),
        `${trans.__('The file was changed elsewhere. Save to choose what to keep.')} ${kept}`
      );
    case 'changed':
      return bad(
        trans.__('Changed on disk'),
        trans.__(
          'The file was changed elsewhere and holds something else than you see. Reload it, or save to choose what to keep.'
        )
      );
    case 'gone':
      return bad(
        trans.__('Not on disk'),
        trans.__('There is no such file any more. Save to write it again.')
      );
    case 'failed':
      return bad(
        trans.__('Not saved'),
        `${saving.failure?.message ?? ''} ${kept}`
      );
  }
}

/** Of a document that several may have open: its server writes it, by itself or when asked. */
function liveWords(
  { saving, isAway, isAutosaved, draft }: ICondition,
  kept: string,
  trans: TranslationBundle
): IWords {
  if (isAway) {
    const away = trans.__(
      'The server does not answer; it takes your edits when it does.'
    );
    return bad(
      draft ? trans.__('Offline, kept as draft') : trans.__('Offline'),
      draft || saving.isChanged ? `${away} ${kept}` : away
    );
  }
  if (isAutosaved) {
    const live = trans.__(
      'The server saves each edit of a shared document by itself.'
    );
    return draft && saving.isChanged
      ? good(
          trans.__('Kept as draft'),
          `${live} ${trans.__('The latest are not in the file yet.')} ${kept}`
        )
      : good(trans.__('Live'), live);
  }
  if (!saving.isChanged) {
    return good(
      trans.__('Saved'),
      trans.__('The file holds all that you see. Autosave is off.')
    );
  }
  const off = trans.__(
    'Autosave is off: your edits come into the file when somebody saves it.'
  );
  return draft
    ? good(trans.__('Kept as draft'), `${off} ${kept}`)
    : good(
        trans.__('Unsaved'),
        `${off} ${trans.__('Until then the server holds them in the shared document.')}`
      );
}

const good = (short: string, long: string): IWords => ({
  short,
  long,
  isBad: false
});

const bad = (short: string, long: string): IWords => ({
  short,
  long,
  isBad: true
});

function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
}

/** Says how the document that the user looks at stands to its file. */
export class StandingWidget extends ReactWidget {
  constructor(
    private readonly trans: TranslationBundle,
    private readonly act: () => void
  ) {
    super();
    this.addClass('jp-Rewind-standing');
  }

  get condition(): ICondition | null {
    return this._condition;
  }

  set condition(value: ICondition | null) {
    this._condition = value;
    this.update();
    this._changed.emit();
  }

  /** There is another condition to show, or none. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  protected render(): React.ReactElement | null {
    if (!this._condition) {
      return null;
    }
    const { short, long, isBad } = standingWords(this._condition, this.trans);
    return (
      <>
        <button
          type="button"
          className={isBad ? 'jp-mod-bad' : ''}
          title={long}
          // The cursor stays where it is; without that, other items move away from under the mouse.
          onMouseDown={event => event.preventDefault()}
          onClick={this.act}
        >
          {short}
        </button>
        <span role="status" className="jp-Rewind-unseen">
          {isBad ? `${short}. ${long}` : ''}
        </span>
      </>
    );
  }

  private _changed = new Signal<this, void>(this);
  private _condition: ICondition | null = null;
}

/** What the item says in full, in a dialog: it goes on changing while that is open. */
export function explanation(
  item: StandingWidget,
  trans: TranslationBundle
): ReactWidget {
  return ReactWidget.create(
    <UseSignal signal={item.changed}>
      {() => {
        const { condition } = item;
        const words = condition && standingWords(condition, trans);
        return words ? (
          <div role="status">
            <p>
              <strong>{words.short}</strong>
            </p>
            <p>{words.long}</p>
          </div>
        ) : null;
      }}
    </UseSignal>
  );
}
