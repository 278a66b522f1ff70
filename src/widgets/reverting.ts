import { Time } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Checkpoint } from '../tokens';
import { momentWords, reasonWords } from './historywords';

/** A checkpoint as Jupyter's contents service lists it, with what rides along. */
export interface IListed {
  id: string;
  last_modified: string;
  labels?: string[];
  reason?: Checkpoint['reason'];
}

/** What a dialog of *Revert* may be about. */
export interface IAbout {
  /** The checkpoints of the document, the newest first. */
  listed: readonly IListed[];
  /** Which of them was chosen last. */
  chosen?: IListed;
}

/**
 * Puts the names and reasons of checkpoints into JupyterLab's own dialogs of *Revert*: the choice
 * and the question that follows it. Any other dialog stays as it is.
 */
export function nameInDialog(
  node: HTMLElement,
  about: IAbout,
  trans: TranslationBundle
): void {
  const select = node.querySelector('select');
  if (select) {
    nameChoices(select, about, trans);
  } else {
    nameChosen(node, about, trans);
  }
}

/** JupyterLab reads the number in an option's value, which stays. */
function nameChoices(
  select: HTMLSelectElement,
  about: IAbout,
  trans: TranslationBundle
): void {
  const { listed } = about;
  const options = [...select.options];
  const isOurs =
    options.length === listed.length &&
    options.every(
      ({ value }, at) =>
        value.startsWith(`${at}. `) &&
        value.includes(Time.format(listed[at].last_modified))
    );
  if (isOurs) {
    options.forEach((option, at) => {
      option.textContent = wordsOf(listed, at, trans);
    });
    const choose = () => (about.chosen = listed[select.selectedIndex]);
    select.addEventListener('change', choose);
    choose();
  }
}

/** The question tells one time, and says that there is no way back, which there is. */
function nameChosen(
  node: HTMLElement,
  about: IAbout,
  trans: TranslationBundle
): void {
  const { chosen, listed } = about;
  const warning = node.querySelector('.jp-Dialog-body p strong');
  const line = node.querySelector('.jp-Dialog-body p p');
  const told = line?.textContent ?? '';
  const same = listed.filter(each =>
    told.startsWith(Time.format(each.last_modified))
  );
  if (!warning || !line || !same.length) {
    return;
  }
  warning.textContent = trans.__(
    'What is there now is kept in the history, and unsaved edits as a draft.'
  );
  const one = same.length === 1 ? same[0] : same.find(each => each === chosen);
  if (one) {
    line.textContent = wordsOf(listed, listed.indexOf(one), trans);
  }
}

function wordsOf(
  all: readonly IListed[],
  at: number,
  trans: TranslationBundle
): string {
  const { labels = [], last_modified, reason } = all[at];
  const parent = all[at + 1]?.id ?? null;
  const why = reason ? [reasonWords({ reason, parent }, trans)] : [];
  const when = momentWords(Date.parse(last_modified));
  return [when, ...labels, ...why].join(' · ');
}
