import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { SaveState, Saving } from '../models/saving';
import type { DraftPlace } from '../tokens';
import {
  explanation,
  type ICondition,
  StandingWidget,
  standingWords
} from '../widgets/standing';

/** A document that its server saves. */
function live(
  isAway: boolean,
  draft: DraftPlace | null,
  isChanged: boolean,
  isAutosaved = true
): string {
  const saving = { standing: 'live', isChanged } as Saving;
  const trans = nullTranslator.load('');
  const { short, long } = standingWords(
    { saving, isAway, isAsked: false, isAutosaved, draft },
    trans
  );
  return `${short}: ${long}`;
}

describe('the dialog behind the item', () => {
  it('goes on telling how things are while it is open', async () => {
    const trans = nullTranslator.load('');
    const item = new StandingWidget(trans, () => undefined);
    const condition = (standing: SaveState) =>
      ({ saving: { standing, savedAt: null } as Saving }) as ICondition;
    item.condition = condition('saving');
    const told = explanation(item, trans);
    Widget.attach(told, document.body);
    const words = async () => {
      await new Promise(done => setTimeout(done, 50));
      return told.node.textContent;
    };
    expect(await words()).toMatch(/^Saving….*being written/);
    item.condition = condition('saved');
    expect(await words()).toMatch(/^Saved.*holds all that you see/);
    told.dispose();
  });
});

describe('standingWords of a save', () => {
  it('does not call a file written while JupyterLab asks about it', () => {
    const saving = { standing: 'saving' } as Saving;
    const trans = nullTranslator.load('');
    const words = (isAsked: boolean) =>
      standingWords(
        { saving, isAway: false, isAsked, isAutosaved: true, draft: 'server' },
        trans
      );
    expect(words(false).short).toBe('Saving…');
    expect(words(true).short).toBe('Not saved yet');
    expect(words(true).long).toMatch(
      /waits for your answer .* as a draft on the server/
    );
  });
});

describe('standingWords of a file that is not what is seen', () => {
  it('says so, and what to do', () => {
    const words = (standing: SaveState) =>
      standingWords(
        {
          saving: { standing } as Saving,
          isAway: false,
          isAsked: false,
          isAutosaved: true,
          draft: null
        },
        nullTranslator.load('')
      ).long;
    expect(words('changed')).toMatch(/something else .* Reload it/);
    expect(words('gone')).toMatch(/no such file .* Save to write it/);
  });
});

describe('standingWords of what is not saved', () => {
  const unsaved = (draft: DraftPlace | null) => {
    const saving = { standing: 'unsaved' } as Saving;
    const condition = { saving, isAway: false, isAsked: false, draft };
    return standingWords(
      { ...condition, isAutosaved: true },
      nullTranslator.load('')
    );
  };

  it('does not call in this tab only what the server has but for the latest', () => {
    expect(unsaved('sending').short).toBe('Kept as draft');
    expect(unsaved('sending').long).toMatch(/server; the latest are on their/);
    expect(unsaved(null).long).toMatch(/in this tab only/);
  });

  it('does not call what a cell puts out edits that are in this tab only', () => {
    expect(unsaved(null).long).toMatch(/cells put out is in the journal/);
  });
});

describe('standingWords of a shared document', () => {
  it('says that the server saves it, while it does', () => {
    expect(live(false, null, false)).toMatch(/^Live: The server saves/);
    expect(live(false, null, true)).toMatch(/^Live: /);
  });

  it('says where the edits are while the server is away', () => {
    expect(live(true, 'browser', true)).toMatch(
      /^Offline, kept as draft: .* a draft in this browser/
    );
    expect(live(true, null, true)).toMatch(/^Offline: .* in this tab only/);
  });

  it('says nothing of edits where there are none', () => {
    expect(live(true, null, false)).not.toContain('in this tab only');
  });

  it('says that the server lags behind', () => {
    expect(live(false, 'server', true)).toMatch(
      /^Kept as draft: .* not in the file yet. .* on the server/
    );
  });

  it('does not promise that the server saves it where autosave is off', () => {
    expect(live(false, 'server', true, false)).toMatch(
      /^Kept as draft: Autosave is off: .* when somebody saves it/
    );
    const unsaved = live(false, null, true, false);
    expect(unsaved).toMatch(/^Unsaved: Autosave is off/);
    expect(unsaved).not.toContain('in this tab only');
    expect(live(false, null, false, false)).toMatch(/^Saved: The file holds/);
  });
});

describe('standingWords of what cannot be saved now', () => {
  const offline = (isAutosaved: boolean) => {
    const saving = { standing: 'offline' } as Saving;
    const condition = { saving, isAway: true, isAsked: false, isAutosaved };
    const trans = nullTranslator.load('');
    return standingWords({ ...condition, draft: 'browser' }, trans).long;
  };

  it('promises a save only where one comes', () => {
    expect(offline(true)).toMatch(/it is saved when it does/);
    expect(offline(false)).toMatch(/Autosave is off: save when it does/);
  });

  it('says nothing of signing in where nobody answers', () => {
    expect(offline(true)).toMatch(/kept as a draft in this browser\.$/);
  });
});
