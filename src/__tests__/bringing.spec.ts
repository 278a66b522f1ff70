import { bringBack } from '../models/bringing';
import { variableRows } from '../models/variables';
import { RewindError } from '../requests';
import type { IVariables, IWanted } from '../tokens';

const taken = () => new RewindError('Taken.', 409, 'name_taken');

/** A kernel in which these names are taken. */
function kernelWith(...names: string[]) {
  const asked: IWanted[] = [];
  return {
    asked,
    bringBack: async (_: string, wanted: IWanted) => {
      asked.push(wanted);
      const name = wanted.as ?? wanted.name;
      if (names.includes(name) && !wanted.replace) {
        throw taken();
      }
      return { name, missing: '' };
    }
  };
}

const rows = { kernel: 'k', ref: 's', name: 'rows' };

describe('bringBack', () => {
  it('asks nothing where the name is free', async () => {
    const client = kernelWith();
    const never = () => Promise.reject(new Error('asked'));
    await expect(bringBack(client, rows, never)).resolves.toMatchObject({
      name: 'rows'
    });
    expect(client.asked).toEqual([{ name: 'rows', ref: 's' }]);
  });

  it('asks for another name for as long as it is taken', async () => {
    const client = kernelWith('rows', 'rows_1');
    const answers = ['rows_1', 'rows_2'];
    const told: string[] = [];
    const ask = async (name: string) => {
      told.push(name);
      return { name: answers.shift() as string, replace: false };
    };
    await expect(bringBack(client, rows, ask)).resolves.toMatchObject({
      name: 'rows_2'
    });
    expect(told).toEqual(['rows', 'rows_1']);
  });

  it('replaces only where that is wanted', async () => {
    const client = kernelWith('rows');
    const ask = async () => ({ name: 'rows', replace: true });
    await expect(bringBack(client, rows, ask)).resolves.toMatchObject({
      name: 'rows'
    });
    expect(client.asked[1]).toEqual({ name: 'rows', ref: 's', replace: true });
  });

  it('leaves it where no name is given, and tells other failures', async () => {
    const client = kernelWith('rows');
    await expect(bringBack(client, rows, async () => null)).resolves.toBeNull();
    const failing = {
      bringBack: () => Promise.reject(new Error('The kernel is gone.'))
    };
    await expect(bringBack(failing, rows, async () => null)).rejects.toThrow(
      'gone'
    );
  });
});

describe('variableRows', () => {
  it('tells what there is, what changed and what went', () => {
    const variables = {
      report: [
        { name: 'b', type: 'list', size: 5, preview: '2 items' },
        { name: 'a', type: 'int', size: 0, preview: '1' }
      ],
      changes: [
        { name: 'b', how: 'changed' },
        { name: 'c', how: 'removed', type: 'str', before_bytes: 3, before: 'x' }
      ]
    } as unknown as IVariables;
    const told = variableRows(variables).map(row => [
      row.name,
      row.change?.how ?? '',
      row.variable !== null
    ]);
    expect(told).toEqual([
      ['a', '', true],
      ['b', 'changed', true],
      ['c', 'removed', false]
    ]);
  });
});
