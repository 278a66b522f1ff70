import { Signal } from '@lumino/signaling';

import { Choices, type IKept } from '../models/choices';
import type { Kind } from '../models/entries';

/** Settings that are read and written as JupyterLab's are. */
class Settings implements IKept {
  constructor(readonly values: Record<string, unknown>) {}

  readonly changed = new Signal<this, void>(this);
  isReadOnly = false;

  get(key: string): { composite: unknown } {
    return { composite: this.values[key] };
  }

  async set(key: string, value: string[] | boolean): Promise<void> {
    await Promise.resolve();
    if (this.isReadOnly) {
      throw new Error('The settings cannot be written.');
    }
    this.values[key] = value;
    this.changed.emit();
  }
}

async function chosenIn(settings: Settings): Promise<Choices> {
  const choices = new Choices(Promise.resolve(settings));
  await settled();
  return choices;
}

const settled = () => new Promise(done => setTimeout(done, 0));

describe('what the user chose to see', () => {
  it('is there again with the next page', async () => {
    const settings = new Settings({ kinds: ['checkpoint'] });
    const choices = await chosenIn(settings);
    choices.kinds = new Set<Kind>(['execution', 'state']);
    choices.hidesOutputs = true;
    await settled();
    const next = await chosenIn(settings);
    expect([...next.kinds]).toEqual(['execution', 'state']);
    expect(next.hidesOutputs).toBe(true);
  });

  it('may be nothing at all', async () => {
    const choices = await chosenIn(new Settings({ kinds: [] }));
    expect(choices.kinds.size).toBe(0);
  });

  it('follows the settings editor', async () => {
    const settings = new Settings({ kinds: ['checkpoint'] });
    const choices = await chosenIn(settings);
    const told = jest.fn();
    choices.changed.connect(told);
    await settings.set('kinds', ['state', 'nonsense']);
    expect([...choices.kinds]).toEqual(['state']);
    expect(told).toHaveBeenCalled();
  });

  it('is written one choice after the other', async () => {
    const settings = new Settings({});
    const ends: (() => void)[] = [];
    const begun: string[] = [];
    settings.set = (key: string) => {
      begun.push(key);
      return new Promise(done => ends.push(done));
    };
    const choices = await chosenIn(settings);
    choices.hidesOutputs = true;
    choices.kinds = new Set<Kind>(['state']);
    await settled();
    expect(begun).toEqual(['hideOutputs']);
    ends[0]();
    await settled();
    expect(begun).toEqual(['hideOutputs', 'kinds']);
  });

  it('holds in this page where settings cannot be written', async () => {
    const settings = new Settings({ kinds: ['checkpoint'] });
    settings.isReadOnly = true;
    const choices = await chosenIn(settings);
    choices.kinds = new Set<Kind>(['state']);
    await settled();
    expect([...choices.kinds]).toEqual(['state']);
  });

  it('is the checkpoints where there are no settings', async () => {
    const without = new Choices();
    const broken = new Choices(Promise.reject(new Error('none')));
    await settled();
    expect([...without.kinds]).toEqual(['checkpoint']);
    expect([...broken.kinds]).toEqual(['checkpoint']);
  });
});
