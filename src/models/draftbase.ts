import type { SharedCell } from './draftdoc';

/** What tells the server which state of the notebook was read. */
export interface IBase {
  cells: number;
  /** CRC-32 of all sources, one after the other. */
  crc: number;
  /** Of the file, where that is known. */
  sha256?: string;
}

/** The sources of a notebook as they are now; the figures are reckoned when they are asked for. */
export function takeBase(cells: readonly SharedCell[]): () => IBase {
  let sources: string[] | null = cells.map(cell => cell.getSource());
  let known: IBase | null = null;
  return () => {
    if (sources) {
      known = { cells: sources.length, crc: crc32(sources) };
      sources = null;
    }
    return known as IBase;
  };
}

/** CRC-32 of texts, one after the other, in UTF-8. */
export function crc32(texts: readonly string[]): number {
  const encoder = new TextEncoder();
  let crc = 0xffffffff;
  // In one piece: a pair of surrogates may stand on both sides of a border.
  for (const byte of encoder.encode(texts.join(''))) {
    crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});
