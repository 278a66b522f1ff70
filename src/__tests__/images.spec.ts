import { nullTranslator } from '@jupyterlab/translation';

import { nameImages, noneWords } from '../models/images';
import type { ProcessImage } from '../tokens';

function image(more: Partial<ProcessImage>): ProcessImage {
  return {
    id: 'a1',
    kernel: 'k',
    kernel_name: 'python3',
    path: 'a.ipynb',
    time_ns: 1_700_000_000_000_000_000,
    reason: 'asked',
    criu: '4.2.1',
    size_bytes: 61_000_000,
    new_bytes: 1,
    labels: [],
    ...more
  };
}

describe('nameImages', () => {
  it('puts the newest first and tells each apart', () => {
    const named = nameImages([
      image({ id: 'a1' }),
      image({ id: 'a2' }),
      image({ id: 'a3', labels: ['good'], reason: 'after a cell' })
    ]);
    expect(named.map(each => each.image.id)).toEqual(['a3', 'a2', 'a1']);
    expect(new Set(named.map(each => each.name)).size).toBe(3);
    expect(named[0].name).toMatch(/ · good · after a cell · 61.0 MB$/);
    expect(named[2].name).toMatch(/ · 61.0 MB · a1$/);
  });
});

describe('noneWords', () => {
  const trans = nullTranslator.load('jupyter_rewind');

  it('names no settings to whoever cannot change them', () => {
    const words = noneWords(
      'kernels.host and kernels.images are not both on',
      trans
    );
    expect(words).toMatch(/not turned on here/);
    expect(words).not.toContain('kernels.');
  });

  it('says what is missing on the machine', () => {
    expect(noneWords('CRIU is not there', trans)).toContain('CRIU is not');
  });
});
