import { ImageChoice } from '../widgets/imagechoice';
import type { ProcessImage } from '../tokens';

describe('ImageChoice', () => {
  it('gives the image that is chosen, the first one if none is', () => {
    const named = ['a', 'b'].map(id => ({
      name: id,
      image: { id } as ProcessImage
    }));
    const body = new ImageChoice(named, 'What comes back?');
    expect(body.getValue().id).toBe('a');
    const select = body.node.querySelector('select')!;
    select.selectedIndex = 1;
    expect(body.getValue().id).toBe('b');
    expect(select.labels?.[0].textContent).toContain('What comes back?');
    body.dispose();
  });
});
