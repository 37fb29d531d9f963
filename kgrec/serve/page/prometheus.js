// The text format of Prometheus, as far as kgrec writes it, and figures of two readings.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Samples: name, labels, value. */
export function parse(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (match) samples.push({ name: match[1], labels: Object.fromEntries([...(match[2] ?? "").matchAll(LABEL)].map((one) => [one[1], one[2]])), value: Number(match[3]) });
  }
  return samples;
}

/** The sum of the samples of a name whose labels pass. */
export function sum(samples, name, passes = () => true) {
  return samples.filter((one) => one.name === name && passes(one.labels)).reduce((total, one) => total + one.value, 0);
}

/** What a counter gained between two readings; after a restart, all of it. */
export function gained(before, now, name, passes) {
  const [was, is] = [sum(before, name, passes), sum(now, name, passes)];
  return is >= was ? is - was : is;
}

/** The upper bound of the bucket that a quantile of the new values of a histogram lies in; null without new values. */
export function quantile(before, now, name, share, passes = () => true) {
  const bounds = [...new Set(now.filter((one) => one.name === `${name}_bucket`).map((one) => one.labels.le))];
  const counts = bounds.map((le) => ({ le: Number(le.replace("+Inf", "Infinity")), count: gained(before, now, `${name}_bucket`, (labels) => labels.le === le && passes(labels)) }))
    .sort((one, other) => one.le - other.le);
  const total = counts.at(-1)?.count ?? 0;
  return total > 0 ? counts.find((one) => one.count >= share * total).le : null;
}
