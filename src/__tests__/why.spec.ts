import { nullTranslator } from '@jupyterlab/translation';

import { RestoreDoubt, UnsavedEdits } from '../models/restoring';
import { RewindError } from '../requests';
import { failureWords } from '../widgets/restored';
import { whyOf } from '../widgets/why';

const trans = nullTranslator.load('jupyter_rewind');

describe('why something failed', () => {
  it('has what the server says can be done', () => {
    const full = new RewindError(
      'The disk is full.',
      507,
      'full',
      'Free some.'
    );
    expect(whyOf(full, trans)).toBe('The disk is full. Free some.');
    expect(whyOf(new RewindError('No.', 500, ''), trans)).toBe('No.');
    const lost = new RestoreDoubt('unseen', full);
    expect(failureWords('Nothing.', lost, trans)).toContain('Free some.');
  });

  it('is said in words where the user left a question open', () => {
    const cancelled = new Error('Cancel');
    cancelled.name = 'ModalCancelError';
    expect(whyOf(cancelled, trans)).toMatch(/changed elsewhere/);
    expect(whyOf(new UnsavedEdits(), trans)).toMatch(/could not be saved/);
  });
});
