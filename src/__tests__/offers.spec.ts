import { Offers } from '../models/offers';
import type { Draft, Unseen } from '../tokens';

const DRAFT = {} as Draft;
const ran = (cell: string | null) => [{ cell } as Unseen];

/** A notebook that is being opened, and what has come of waiting for its offer. */
function opening(cells: string[]) {
  const notebook = {};
  const offers = new Offers(async () => new Set(cells));
  offers.open(notebook);
  const told: string[] = [];
  const wait = async (cell: string | null) => {
    void offers.settle(notebook, ran(cell)).then(() => told.push('settled'));
    await soon();
  };
  return { notebook, offers, told, wait };
}

const soon = () => new Promise(resolve => setTimeout(resolve));

describe('Offers', () => {
  it('wait for the answer where the edits bring the cell', async () => {
    const { notebook, offers, told, wait } = opening(['run']);
    await wait('run');
    offers.offer(notebook, DRAFT);
    await soon();
    expect(told).toEqual([]);
    offers.answer(notebook);
    await soon();
    expect(told).toEqual(['settled']);
  });

  it('wait for nothing where no edits are offered', async () => {
    const { notebook, offers, told, wait } = opening(['run']);
    offers.offer(notebook, null);
    await wait('run');
    expect(told).toEqual(['settled']);
  });

  it('wait for no answer about other cells, or cells without ids', async () => {
    const { notebook, offers, told, wait } = opening(['other']);
    offers.offer(notebook, DRAFT);
    await wait('run');
    await wait(null);
    expect(told).toEqual(['settled', 'settled']);
  });

  it('know nothing of notebooks that nobody opened', async () => {
    const { offers } = opening([]);
    await offers.settle({}, ran('run'));
  });
});
