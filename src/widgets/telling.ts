import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { momentWords } from './historywords';

/** JupyterLab cuts a notification off after so many letters. */
const LONGEST = 140;

/** Milliseconds until a notification stands on the screen. */
const DRAWN = 50;

type Kind = 'info' | 'success' | 'warning' | 'error';

/**
 * Shows a notification; where JupyterLab cuts its words off, the whole of them is a click away. It
 * takes the place of the one with the id `instead`, where that still stands.
 */
export function tell(
  kind: Kind,
  words: string,
  options: Pick<Notification.IOptions<never>, 'actions' | 'autoClose'>,
  trans: TranslationBundle,
  instead?: string
): string {
  const { actions = [] } = options;
  const whole: Notification.IAction = {
    label: trans.__('Show all'),
    caption: words,
    callback: event => {
      // It stays, and so does what else it offers.
      event.preventDefault();
      void showDialog({
        title: titleOf(kind, trans),
        body: words,
        buttons: [Dialog.okButton({ label: trans.__('Close') })]
      });
    }
  };
  const shown = {
    ...options,
    actions: words.length > LONGEST ? [...actions, whole] : actions
  };
  if (instead && Notification.manager.has(instead)) {
    Notification.update({ id: instead, message: words, type: kind, ...shown });
    return instead;
  }
  return Notification.emit(words, kind, shown);
}

/** Says what is under way, and is on the screen when this resolves; it gives the id. */
export async function tellBegun(words: string): Promise<string> {
  const id = Notification.emit(words, 'in-progress', { autoClose: false });
  // What follows may leave the browser no time to draw it.
  await new Promise(done => setTimeout(done, DRAWN));
  return id;
}

/** What takes longer is told of; less would only flash up. */
const MOMENT = 1500;

/** Waits for something, and says meanwhile for what where that takes more than a moment. */
export async function tellWhile<T>(
  words: string,
  waited: Promise<T>
): Promise<T> {
  let id: string | null = null;
  const timer = setTimeout(() => {
    id = Notification.emit(words, 'in-progress', { autoClose: false });
  }, MOMENT);
  try {
    return await waited;
  } finally {
    clearTimeout(timer);
    if (id !== null) {
      Notification.dismiss(id);
    }
  }
}

/** Waits for a running kernel, which answers between two cells. */
export function tellKernelWaited<T>(
  waited: Promise<T>,
  trans: TranslationBundle
): Promise<T> {
  const words = trans.__(
    'Waiting for the kernel, which answers when its running cell has ended…'
  );
  return tellWhile(words, waited);
}

/** Says what failed, until the user closes it. */
export function tellFailure(words: string, trans: TranslationBundle): void {
  // With a time it would not be shown, but only counted in the status bar.
  tell('error', words, { autoClose: false }, trans);
}

/**
 * Says that a name was taken from another checkpoint, which it protected; `before` tells the time of
 * that one, empty where nobody knows it.
 */
export function tellNamed(
  label: string,
  before: string | null,
  trans: TranslationBundle
): void {
  if (before === null) {
    return;
  }
  const taken = before
    ? trans.__(
        '“%1” was the name of the checkpoint of %2 until now.',
        label,
        momentWords(Date.parse(before))
      )
    : trans.__('“%1” was the name of another checkpoint until now.', label);
  const open = trans.__(
    'That one may expire, unless it has another name or is pinned.'
  );
  tell('info', `${taken} ${open}`, { autoClose: 15000 }, trans);
}

function titleOf(kind: Kind, trans: TranslationBundle): string {
  return kind === 'error'
    ? trans.__('What failed')
    : kind === 'warning'
      ? trans.__('Warning')
      : trans.__('What happened');
}
