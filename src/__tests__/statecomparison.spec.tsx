import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { Pages } from '../models/pages';
import { StateComparison } from '../models/statecomparison';
import { comparedRows } from '../models/variables';
import type {
  IStatesDifference,
  Snapshot,
  Variable,
  VariableChange
} from '../tokens';
import {
  type IStateComparisonOptions,
  stateComparison
} from '../widgets/statecomparison';

const trans = nullTranslator.load('jupyter_rewind');

function state(id: string, count: number): Snapshot {
  return { id, count, time_ns: 1.7e18 + count * 1e9, labels: [] } as never;
}

function variable(name: string, type: string, preview: string): Variable {
  return {
    name,
    type,
    size: 0,
    fidelity: 'exact',
    reason: '',
    changed: false,
    preview
  };
}

function change(name: string, how: VariableChange['how']): VariableChange {
  return {
    name,
    how,
    type: 'int',
    before_bytes: 1,
    after_bytes: 2,
    before: 'b',
    after: 'a'
  };
}

function difference(after: string): IStatesDifference {
  return {
    before: state('one', 1),
    after: state(after, 2),
    before_report: [
      variable('rows', 'list', '3 items'),
      variable('gone', 'int', '1'),
      variable('same', 'str', "'x'")
    ],
    after_report: [
      variable('rows', 'str', "'spoiled'"),
      variable('born', 'int', '2'),
      variable('same', 'str', "'x'")
    ],
    changes: [
      change('rows', 'changed'),
      change('gone', 'removed'),
      change('born', 'added')
    ]
  };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(resolve => setTimeout(resolve));
  }
}

/** A comparison in a page, and which states it was asked to compare with. */
async function shown(parts: Partial<IStateComparisonOptions> = {}) {
  const asked: string[] = [];
  const widget = stateComparison({
    path: 'analysis.ipynb',
    state: state('one', 1),
    states: new Pages(async () => ({
      items: [state('two', 2), state('one', 1)],
      more: false
    })),
    model: new StateComparison({
      present: async () => state('now', 3),
      difference: async after => {
        asked.push(after);
        return difference(after);
      }
    }),
    hasKernel: true,
    bringBack: () => undefined,
    fail: reason => {
      throw reason;
    },
    trans,
    ...parts
  });
  Widget.attach(widget, document.body);
  await settled();
  const { node } = widget;
  const names = () =>
    [...node.querySelectorAll('[data-variable]')].map(each =>
      each.getAttribute('data-variable')
    );
  return { asked, names, node, widget };
}

describe('the variables of two states', () => {
  it('are told by name, each as both sides have it', () => {
    const rows = comparedRows(difference('two'));
    expect(
      rows.map(({ name, how, left, right }) => [
        name,
        how,
        left?.preview,
        right?.type
      ])
    ).toEqual([
      ['born', 'added', undefined, 'int'],
      ['gone', 'removed', '1', undefined],
      ['rows', 'changed', '3 items', 'str'],
      ['same', 'same', "'x'", 'str']
    ]);
  });

  it('have what is in no report as the change tells it', () => {
    const changes = [
      change('tools.depth', 'changed'),
      change('tools.x', 'added')
    ];
    const bare = { before_report: [], after_report: [], changes };
    const [both, one] = comparedRows({ ...difference('two'), ...bare });
    expect([both.left?.preview, both.right?.preview]).toEqual(['b', 'a']);
    expect([one.left, one.right?.size]).toEqual([null, 2]);
  });
});

describe('a comparison of states', () => {
  afterEach(() => document.body.replaceChildren());

  it('begins with what the running kernel has now', async () => {
    const { asked, names, node } = await shown();
    expect(asked).toEqual(['now']);
    expect(names()).toEqual(['born', 'gone', 'rows']);
    expect(node.textContent).toContain('1 new, 1 changed, 1 gone, 1 the same.');
    const rows = node.querySelector("[data-variable='rows']")!;
    expect(rows.querySelector('.jp-mod-left')!.textContent).toMatch(
      /^3 itemslist · exact/
    );
    expect(rows.querySelector('.jp-mod-right')!.textContent).toBe(
      "'spoiled'str · exact"
    );
    const gone = node.querySelector("[data-variable='gone'] .jp-mod-right")!;
    expect(gone.textContent).toBe('not there');
  });

  it('shows what is the same where that is asked for', async () => {
    const { names, node } = await shown();
    node.querySelector<HTMLInputElement>('input[type=checkbox]')!.click();
    await settled();
    expect(names()).toEqual(['born', 'gone', 'rows', 'same']);
  });

  it('goes to another state, never to the one on the left', async () => {
    const { asked, node } = await shown();
    const right = node.querySelector('select')!;
    const values = [...right.options].map(each => each.value);
    expect(values).toEqual(['present', 'two']);
    right.value = 'two';
    right.dispatchEvent(new Event('change'));
    await settled();
    expect(asked).toEqual(['now', 'two']);
  });

  it('begins with the newest other state where no kernel runs', async () => {
    const { asked } = await shown({ hasKernel: false });
    expect(asked).toEqual(['two']);
  });

  it('says so where there is nothing to compare with', async () => {
    const { asked, node } = await shown({
      hasKernel: false,
      states: new Pages(async () => ({ items: [state('one', 1)], more: false }))
    });
    expect(asked).toEqual([]);
    expect(node.textContent).toContain('There is no other state');
  });

  it('brings a variable of the left back', async () => {
    const brought: [string, string][] = [];
    const { node } = await shown({
      bringBack: (of, name) => brought.push([of.id, name])
    });
    expect(node.querySelectorAll("[data-variable='born'] button")).toHaveLength(
      0
    );
    node.querySelector<HTMLElement>("[data-variable='gone'] button")!.click();
    expect(brought).toEqual([['one', 'gone']]);
  });

  it('tells what failed, and shows nothing for it', async () => {
    const failures: unknown[] = [];
    const { names, node } = await shown({
      model: new StateComparison({
        present: () => Promise.reject(new Error('busy')),
        difference: async after => difference(after)
      }),
      fail: reason => failures.push((reason as Error).message)
    });
    expect(failures).toEqual(['busy']);
    expect(names()).toEqual([]);
    expect(node.textContent).toContain('Choose what is to stand on the right.');
  });

  it('shows what was chosen last, however late an earlier answer comes', async () => {
    const answers: Record<string, (found: IStatesDifference) => void> = {};
    const model = new StateComparison({
      present: async () => state('now', 3),
      difference: after => new Promise(resolve => (answers[after] = resolve))
    });
    const first = model.compare('two');
    const second = model.compare('three');
    answers.three(difference('three'));
    answers.two(difference('two'));
    await Promise.all([first, second]);
    expect(model.found?.after.id).toBe('three');
    model.dispose();
  });
});
