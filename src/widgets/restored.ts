import type { TranslationBundle } from '@jupyterlab/translation';

import { RestoreDoubt } from '../models/restoring';
import type { IRestored } from '../tokens';
import { momentWords } from './historywords';
import { whyOf } from './why';

/** What the user should know of a restore besides that it was done. */
export function remarks(done: IRestored, trans: TranslationBundle): string[] {
  const found: string[] = [];
  const less = done.not_kept.join(', ');
  if (less) {
    found.push(trans.__('The file could not keep all it had: %1.', less));
  }
  if (done.kept && done.kept_nearly) {
    found.push(
      trans.__(
        'What was there differs from the checkpoint of %1 only in timings and trust, which are not kept.',
        momentWords(Date.parse(done.kept.time))
      )
    );
  }
  if (done.condition.state !== 'ok') {
    const told = trans.__('So it was at that checkpoint.');
    found.push(`${done.condition.words} ${told}`);
  }
  return found;
}

/** What is said of a failure; `failed` is so only where it is known that nothing was done. */
export function failureWords(
  failed: string,
  reason: unknown,
  trans: TranslationBundle
): string {
  if (!(reason instanceof RestoreDoubt)) {
    return `${failed} ${whyOf(reason, trans)}`;
  }
  const why = whyOf(reason.reason, trans);
  return reason.kind === 'unseen'
    ? trans.__(
        'It is done, but this tab still shows what was there before: reload the file from disk. %1',
        why
      )
    : trans.__(
        'It is not known whether it was done: no answer came. The history tells once the server is there; what was there before is kept. %1',
        why
      );
}
