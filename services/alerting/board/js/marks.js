// Pieces of a text between the borders of all that was read in it. Spans count Unicode code points, as the text was
// received; the pieces in a row are the text, character by character.

// ranges: {span: [start, end], ...}; those that do not lie in the text are left out. A piece has the ranges `over` it
// and those that `begin` with it, in the order given.
export function pieces(text, ranges) {
  const points = Array.from(text);
  const within = ranges.filter(({ span: [start, end] }) => start >= 0 && start < end && end <= points.length);
  const begins = grouped(within);
  const borders = [...new Set([0, points.length, ...within.flatMap(({ span }) => span)])].sort((a, b) => a - b);
  let over = [];
  return borders.slice(0, -1).map((start, place) => {
    const begin = begins.get(start) ?? [];
    over = [...over.filter(({ span }) => span[1] > start), ...begin];
    return { text: points.slice(start, borders[place + 1]).join(""), over, begin };
  });
}

function grouped(ranges) {
  const groups = new Map();
  for (const range of ranges) {
    if (!groups.has(range.span[0])) groups.set(range.span[0], []);
    groups.get(range.span[0]).push(range);
  }
  return groups;
}
