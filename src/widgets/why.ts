import type { TranslationBundle } from '@jupyterlab/translation';

import { OtherFolder } from '../models/draftkeeper';
import { UnsavedEdits } from '../models/restoring';
import { isCancelled } from '../models/saving';

/** Why something failed, and what to do about it where the server told that, too. */
export function whyOf(reason: unknown, trans: TranslationBundle): string {
  if (!(reason instanceof Error)) {
    return String(reason);
  }
  if (isCancelled(reason)) {
    return trans.__(
      'The file was changed elsewhere, and what to keep was not chosen.'
    );
  }
  if (reason instanceof UnsavedEdits) {
    return trans.__('The unsaved edits could not be saved first.');
  }
  if (reason instanceof OtherFolder) {
    return trans.__(
      'They are of a notebook in the folder %1, which was served here then.',
      reason.root
    );
  }
  const { hint } = reason as { hint?: unknown };
  return typeof hint === 'string' && hint
    ? `${reason.message} ${hint}`
    : reason.message;
}
