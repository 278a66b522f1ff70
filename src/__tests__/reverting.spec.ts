import { Time } from '@jupyterlab/coreutils';
import { nullTranslator } from '@jupyterlab/translation';

import { type IListed, nameInDialog } from '../widgets/reverting';

const trans = nullTranslator.load('jupyter_rewind');
const LISTED: IListed[] = [
  {
    id: 'new',
    last_modified: '2026-11-22T14:02:31Z',
    labels: [],
    reason: 'autosave'
  },
  {
    id: 'old',
    last_modified: '2026-11-22T14:02:03Z',
    labels: ['good-one'],
    reason: 'manual'
  }
];

/** JupyterLab's choice among checkpoints. */
function choice(): HTMLElement {
  const node = document.createElement('div');
  const select = document.createElement('select');
  LISTED.forEach(({ last_modified }, at) => {
    const text = `${at}. ${Time.format(last_modified)} (2 minutes ago)`;
    select.append(new Option(text, text));
  });
  node.append(select);
  return node;
}

/** JupyterLab's question before it reverts. */
function question(time: string): HTMLElement {
  const node = document.createElement('div');
  const body = document.createElement('div');
  body.className = 'jp-Dialog-body';
  const [sure, last, when] = ['p', 'p', 'p'].map(tag =>
    document.createElement(tag)
  );
  const strong = document.createElement('strong');
  strong.textContent = 'This cannot be undone.';
  sure.append('Are you sure? ', strong);
  when.textContent = `${Time.format(time)} (2 minutes ago)`;
  last.append('The checkpoint was last updated at: ', when);
  body.append(sure, last);
  node.append(body);
  return node;
}

describe("JupyterLab's dialogs of Revert", () => {
  it('tell checkpoints of one minute apart, with names and reasons', () => {
    const node = choice();
    const values = [...node.querySelectorAll('option')].map(one => one.value);
    nameInDialog(node, { listed: LISTED }, trans);
    const options = [...node.querySelectorAll('option')];
    expect(options[0].textContent).toMatch(/:31.* · Saved by itself$/);
    expect(options[1].textContent).toMatch(/:03.* · good-one · Saved by hand$/);
    // It is by its number there that JupyterLab finds the checkpoint.
    expect(options.map(one => one.value)).toEqual(values);
  });

  it('say which one, and that what is there is kept', () => {
    const listed = [LISTED[1]];
    const node = question(LISTED[1].last_modified);
    nameInDialog(node, { listed }, trans);
    expect(node.textContent).toContain('good-one');
    expect(node.textContent).toContain('is kept in the history');
    expect(node.textContent).not.toContain('cannot be undone');
  });

  it('say which of one minute was chosen', () => {
    const about = { listed: LISTED };
    const first = choice();
    nameInDialog(first, about, trans);
    const select = first.querySelector('select')!;
    select.selectedIndex = 1;
    select.dispatchEvent(new Event('change'));
    const node = question(LISTED[1].last_modified);
    nameInDialog(node, about, trans);
    expect(node.textContent).toMatch(/:03.* · good-one/);
  });

  it('are told from those that look like them', () => {
    for (const node of [choice(), question('2025-01-01T00:00:00Z')]) {
      const before = node.innerHTML;
      const others = [{ ...LISTED[0], last_modified: '2024-02-03T04:05:06Z' }];
      nameInDialog(node, { listed: others }, trans);
      expect(node.innerHTML).toBe(before);
    }
  });
});
