import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** So many letters of a notification are shown by JupyterLab. */
const LONGEST = 140;

/** Says what failed, until the user closes it; what is too long is a click away. */
export function tellFailure(words: string, trans: TranslationBundle): void {
  const whole: Notification.IAction = {
    label: trans.__('Show all'),
    callback: () =>
      void showDialog({
        title: trans.__('What failed'),
        body: words,
        buttons: [Dialog.okButton({ label: trans.__('Close') })]
      })
  };
  Notification.error(words, {
    // Without this it would not be shown, but only counted in the status bar.
    autoClose: false,
    actions: words.length > LONGEST ? [whole] : []
  });
}
