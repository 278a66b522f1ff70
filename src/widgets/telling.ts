import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

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

/** Says what failed, until the user closes it. */
export function tellFailure(words: string, trans: TranslationBundle): void {
  // With a time it would not be shown, but only counted in the status bar.
  tell('error', words, { autoClose: false }, trans);
}

/** Says that a name was taken from another checkpoint, which it protected. */
export function tellNamed(
  label: string,
  before: string | null,
  trans: TranslationBundle
): void {
  if (before) {
    tell(
      'info',
      trans.__(
        'Another checkpoint was called “%1” until now (%2). It has lost that name, and may expire unless it has another or is pinned.',
        label,
        before.slice(0, 8)
      ),
      { autoClose: 15000 },
      trans
    );
  }
}

function titleOf(kind: Kind, trans: TranslationBundle): string {
  return kind === 'error'
    ? trans.__('What failed')
    : kind === 'warning'
      ? trans.__('Warning')
      : trans.__('What happened');
}
