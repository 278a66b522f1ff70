import { movedLines } from '../widgets/stateactions';

describe('what a move of the variables did', () => {
  it('is told without the magic that takes it back', () => {
    const words =
      'Back to the state after In[1].\nrows: rebuilt\n`%rewind undo` takes this back.';
    expect(movedLines(words)).toEqual([
      'Back to the state after In[1].',
      'rows: rebuilt'
    ]);
  });
});
