import type { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { DraftKeeper, ILeftBehind } from '../models/draftkeeper';
import type { IReturned } from '../models/draftreturn';
import type { IShelved } from '../models/draftshelf';
import { isForeign } from '../models/windows';
import type { Draft } from '../tokens';
import { downloadText } from './download';
import { momentWords } from './historywords';
import { tell, tellFailure } from './telling';
import { whyOf } from './why';

const nameOf = (path: string) => path.split('/').pop() ?? path;

/** What the name of a copy ends in that holds unsaved edits. */
const copyName = (path: string) =>
  nameOf(path).replace(/(\.ipynb)?$/, '.unsaved.ipynb');

/** The server does not take edits of an earlier page: they stay here, and can be had as a file. */
export function tellRefused(
  { shelved, reason }: ILeftBehind,
  keeper: DraftKeeper,
  trans: TranslationBundle
): void {
  const drop = () =>
    keeper
      .drop(shelved)
      .catch((problem: unknown) =>
        tellFailure(
          trans.__('The edits are still kept. %1', whyOf(problem, trans)),
          trans
        )
      );
  tell(
    'warning',
    trans.__(
      'Kept in this browser only: unsaved edits of %1 from %2. %3',
      nameOf(shelved.path),
      momentWords(shelved.changed),
      whyOf(reason, trans)
    ),
    {
      autoClose: false,
      actions: [
        {
          label: trans.__('Download'),
          caption: shelved.content
            ? trans.__('The notebook with these edits, as a file')
            : trans.__('The edited cells as a notebook of their own'),
          displayType: 'accent',
          callback: event => {
            // They stay, and so does the offer.
            event.preventDefault();
            void download(shelved, trans);
          }
        },
        {
          label: trans.__('Discard'),
          caption: trans.__('Drop them for good'),
          displayType: 'warn',
          callback: () => void drop()
        }
      ]
    },
    trans
  );
}

async function download(
  shelved: IShelved,
  trans: TranslationBundle
): Promise<void> {
  try {
    const { copyOf } = await import('../models/draftcopy');
    downloadText(
      JSON.stringify(copyOf(shelved), null, 1),
      copyName(shelved.path)
    );
  } catch (reason) {
    tellFailure(
      trans.__(
        'The edits could not be read, and are still kept. %1',
        whyOf(reason, trans)
      ),
      trans
    );
  }
}

/** Neither server nor browser keeps the edits of an open document: what the notice is called. */
export function tellNowhere(
  context: { readonly path: string; readonly model: { toString(): string } },
  reason: Error,
  trans: TranslationBundle
): string {
  return tell(
    'error',
    trans.__(
      'Keep this tab open, or download a copy: the unsaved edits of %1 are in this tab only. The server does not take them, and this browser cannot keep them (%2).',
      nameOf(context.path),
      whyOf(reason, trans)
    ),
    {
      autoClose: false,
      actions: [
        {
          label: trans.__('Download'),
          caption: trans.__('The notebook with these edits, as a file'),
          displayType: 'accent',
          callback: event => {
            // The edits are in no safer place by that.
            event.preventDefault();
            downloadText(context.model.toString(), copyName(context.path));
          }
        }
      ]
    },
    trans
  );
}

/** What can be done with edits that were left behind. */
export interface IOfferAnswers {
  restore(): void;
  compare(): void;
  discard(): void;
  /** Offer the next older edits. */
  showOlder(): void;
}

/**
 * Asks what to do with edits that were left behind, and offers to go on to so many `older` ones:
 * what the notice is called.
 */
export function tellOffer(
  name: string,
  draft: Draft,
  older: number,
  trans: TranslationBundle,
  answers: IOfferAnswers
): string {
  const actions: Notification.IAction[] = [
    {
      label: trans.__('Restore'),
      caption: trans.__('Bring them back into the notebook, unsaved'),
      displayType: 'accent',
      callback: answers.restore
    },
    {
      label: trans.__('Compare'),
      caption: trans.__('Show what they change in the file'),
      callback: answers.compare
    },
    isForeign(draft)
      ? {
          label: trans.__('Dismiss'),
          caption: trans.__('They stay kept where they were made'),
          callback: answers.discard
        }
      : {
          label: trans.__('Discard'),
          caption: trans.__('Drop them for good'),
          displayType: 'warn',
          callback: answers.discard
        }
  ];
  if (older) {
    actions.push({
      label: trans.__('Older (%1)', String(older)),
      caption: trans.__('Show the next older edits; these stay kept'),
      callback: answers.showOlder
    });
  }
  const words = offerWords(name, draft, trans);
  return tell('warning', words, { autoClose: false, actions }, trans);
}

/** Edits are back, in the place of the notice `begun`; `undo` takes them out again. */
export function tellBack(
  words: string,
  undo: () => void,
  trans: TranslationBundle,
  begun: string
): void {
  const action: Notification.IAction = {
    label: trans.__('Undo'),
    caption: trans.__('Take them out again; what was typed since stays'),
    callback: undo
  };
  const options = { autoClose: 15000 as const, actions: [action] };
  tell('success', words, options, trans, begun);
}

/** Edits that came back are so mixed with others by now that they stay. */
export function tellNotUndone(name: string, trans: TranslationBundle): void {
  const words = trans.__(
    'Nothing was undone: cells of %1 were moved since. What was there before is in the history.',
    name
  );
  tell('warning', words, { autoClose: false }, trans);
}

/** No edits of the notebook wait to be brought back. */
export function tellNothing(trans: TranslationBundle): void {
  tell(
    'info',
    trans.__('All edits of this notebook are saved or in an open tab.'),
    { autoClose: 5000 },
    trans
  );
}

/** What is said of edits that were left behind. */
export function offerWords(
  name: string,
  draft: Draft,
  trans: TranslationBundle
): string {
  return isForeign(draft)
    ? trans.__(
        '%1: unsaved edits of %2 were kept, made in another browser or at another address (%3). They may be open there.',
        name,
        clock(draft),
        draft.author
      )
    : trans.__('%1: unsaved edits of %2 were kept.', name, clock(draft));
}

/** What is said of edits that are in the notebook again. */
export function backWords(
  name: string,
  draft: Draft,
  { both, isDamaged, isOld }: Omit<IReturned, 'takeOut'>,
  trans: TranslationBundle
): string {
  const back = isDamaged
    ? trans.__(
        'The edits of %1 are back in %2, but a part of them is damaged and missing. Save to keep them.',
        clock(draft),
        name
      )
    : trans.__(
        'The edits of %1 are back in %2. Save to keep them.',
        clock(draft),
        name
      );
  if (isOld) {
    return `${back} ${trans.__('What was saved since they were made is not in it, but in the history.')}`;
  }
  return both
    ? `${back} ${trans._n(
        'They take the place of what was saved since in %1 cell, which stays in the history.',
        'They take the place of what was saved since in %1 cells, which stays in the history.',
        both
      )}`
    : back;
}

/** When the edits were made; with the day, unless that is today. */
export function clock(draft: Draft): string {
  const when = new Date(draft.changed);
  return when.toDateString() === new Date().toDateString()
    ? when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : when.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

/** Edits were kept, and something of them is damaged. */
export function tellUnreadable(draft: Draft, trans: TranslationBundle): void {
  const words = trans.__(
    'Unsaved edits of %1 were kept, but cannot be read: %2',
    clock(draft),
    draft.problem
  );
  tellFailure(words, trans);
}
