// Reads what /metrics says and takes differences of two readings: rates, shares and percentiles of a window.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Parse Prometheus text into a map from metric to its rows `{labels, value, key}`. */
export function parseMetrics(text) {
  const metrics = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line[0] === "#") continue;
    const found = LINE.exec(line);
    if (found === null) continue;
    const [, name, inside = "", number] = found;
    const labels = {};
    for (const [, label, value] of inside.matchAll(LABEL)) labels[label] = unescaped(value);
    if (!metrics.has(name)) metrics.set(name, []);
    metrics.get(name).push({ labels, key: inside, value: toNumber(number) });
  }
  return metrics;
}

function unescaped(value) {
  return value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
}

function toNumber(text) {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

/** The sum of a metric's rows in one reading. */
export function total(metrics, name, where = {}) {
  return (metrics.get(name) ?? []).filter((row) => fits(row, where)).reduce((sum, row) => sum + row.value, 0);
}

function fits(row, where) {
  return Object.entries(where).every(([label, value]) => row.labels[label] === value);
}

/** What happened between two readings. */
export class Window {
  constructor(first, last) {
    this._first = first;
    this._last = last;
    this.seconds = first === null ? 0 : (last.at - first.at) / 1000;
  }

  /** How much a counter grew. */
  grew(name, where = {}) {
    return this._rows(name, where).reduce((sum, row) => sum + row.value, 0);
  }

  /** How much a counter grew, by the values of one label. */
  grewBy(label, name, where = {}) {
    const sums = new Map();
    for (const row of this._rows(name, where)) {
      sums.set(row.labels[label], (sums.get(row.labels[label]) ?? 0) + row.value);
    }
    return sums;
  }

  /** How many a histogram saw. */
  seen(name, where = {}) {
    return this.grew(`${name}_count`, where);
  }

  /** How many a histogram saw at or below a bound. */
  within(name, bound, where = {}) {
    return this._buckets(name, where).find((bucket) => bucket.bound === bound)?.count ?? 0;
  }

  /** A quantile in seconds: `{value, low, high}`, interpolated within its bucket; null when nothing was seen. */
  quantile(name, q, where = {}) {
    const buckets = this._buckets(name, where);
    const all = buckets.length ? buckets[buckets.length - 1].count : 0;
    if (!(all > 0)) return null;
    const rank = q * all;
    let low = 0;
    let before = 0;
    for (const { bound, count } of buckets) {
      if (count >= rank && count > before) {
        const value = bound === Infinity ? low : low + ((bound - low) * (rank - before)) / (count - before);
        return { value, low, high: bound };
      }
      low = bound;
      before = count;
    }
    return null;
  }

  _buckets(name, where) {
    const sums = this.grewBy("le", `${name}_bucket`, where);
    return [...sums].map(([le, count]) => ({ bound: toNumber(le), count })).sort((a, b) => a.bound - b.bound);
  }

  _rows(name, where) {
    if (this._first === null) return [];
    const before = new Map((this._first.metrics.get(name) ?? []).map((row) => [row.key, row.value]));
    return (this._last.metrics.get(name) ?? [])
      .filter((row) => fits(row, where))
      .map((row) => ({ labels: row.labels, value: row.value - (before.get(row.key) ?? 0) }));
  }
}
