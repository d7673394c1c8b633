const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 64;
const BOTTOM = 40;
const TOP = 16;
const RIGHT = 16;
const GRID = 5;

/** Registered devices over time, and how many would be if each were registered in the moment it comes; SVG that is readable on light and dark. */
export function drawCurves(times: readonly number[], devices: number, seconds: number): string {
  const end = Math.max(seconds, times.at(-1) ?? 0) * 1.02;
  const x = (at: number): number => LEFT + (at / end) * (WIDTH - LEFT - RIGHT);
  const y = (count: number): number => HEIGHT - BOTTOM - (count / devices) * (HEIGHT - BOTTOM - TOP);
  const points: string[] = [`${x(0).toFixed(1)},${y(0).toFixed(1)}`];
  let count = 0;
  for (let at = 0; at <= end; at += end / 200) {
    while (count < times.length && (times[count] ?? 0) <= at) count += 1;
    points.push(`${x(at).toFixed(1)},${y(count).toFixed(1)}`);
  }
  const lines = Array.from({ length: GRID + 1 }, (_, n) => {
    const [share, at] = [(devices * n) / GRID, (end * n) / GRID];
    return (
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share).toFixed(1)}" y2="${y(share).toFixed(1)}" stroke="#8886"/>` +
      `<text x="${LEFT - 8}" y="${(y(share) + 4).toFixed(1)}" text-anchor="end">${Math.round(share).toLocaleString('en')}</text>` +
      `<text x="${x(at).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${at.toFixed(0)} s</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Registered devices over time" font-family="sans-serif" font-size="12" fill="#777">\n` +
    `${lines.join('\n')}\n` +
    `<line x1="${x(0).toFixed(1)}" y1="${y(0).toFixed(1)}" x2="${x(seconds).toFixed(1)}" y2="${y(devices).toFixed(1)}" stroke="#999" stroke-dasharray="4 4"/>\n` +
    `<polyline points="${points.join(' ')}" fill="none" stroke="#2a7ae2" stroke-width="2"/>\n` +
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">dashed: devices that have come back; line: registered</text>\n</svg>\n`
  );
}
