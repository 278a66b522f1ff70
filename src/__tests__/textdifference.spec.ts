import { nullTranslator } from '@jupyterlab/translation';

import { sideBySide } from '../models/textdiff';
import { textDifference } from '../widgets/textdifference';

const trans = nullTranslator.load('jupyter_rewind');

const UNIFIED = `--- 2fce1ea79d62bbd5
+++ open
@@ -1,3 +1,4 @@
 same
-old
--- not a head
+new
+more
+still
 end
@@ -90 +91 @@
-last
\\ No newline at end of file
+last
`;

describe('a unified diff', () => {
  it('has both sides, what came in the place of what', () => {
    const parts = sideBySide(UNIFIED)!;
    const words = parts.map(part =>
      part.map(({ isSame, left, right }) =>
        [
          isSame ? '=' : '!',
          left ? `${left.number} ${left.text}` : '',
          right ? `${right.number} ${right.text}` : ''
        ].join('|')
      )
    );
    expect(words).toEqual([
      [
        '=|1 same|1 same',
        '!|2 old|2 new',
        '!|3 -- not a head|3 more',
        '!||4 still',
        '=|4 end|5 end'
      ],
      ['!|90 last|91 last']
    ]);
    const [{ left, right }] = parts[1];
    expect([left?.isEndless, right?.isEndless]).toEqual([true, undefined]);
  });

  it('is none where the sides are no texts', () => {
    expect(sideBySide('a and b are no text, and differ.\n')).toBeNull();
    expect(textDifference('a and b are no text.', trans).node.textContent).toBe(
      'These are no texts, and they differ.'
    );
  });

  it('is drawn with no name that only the server knows', () => {
    const { node } = textDifference(UNIFIED, trans);
    expect(node.textContent).not.toContain('2fce1ea79d62bbd5');
    const told = (name: string) =>
      [...node.querySelectorAll(name)].map(each => each.textContent);
    expect(told('del')).toEqual(['old', '-- not a head', 'last']);
    expect(told('ins')).toEqual(['new', 'more', 'still', 'last']);
    expect(node.textContent).toContain('without an end of the line');
  });

  it('tells which of two lines that look alike ends otherwise', () => {
    const unified = '--- a\n+++ b\n@@ -1 +1 @@\n-one\r\n+one\n';
    const { node } = textDifference(unified, trans);
    const [, left, , right] = [...node.querySelectorAll('td')];
    expect(left.textContent).toMatch(/^one\r?ends with CR LF$/);
    expect(right.textContent).toBe('one');
  });

  it('of very many lines is shown as it is', () => {
    const added = Array.from({ length: 6000 }, (_, at) => `+${at}`).join('\n');
    const { node } = textDifference(
      `--- a\n+++ b\n@@ -0,0 +1,6000 @@\n${added}\n`,
      trans
    );
    expect(node.tagName).toBe('PRE');
    expect(node.textContent).toMatch(/^@@/);
  });
});
