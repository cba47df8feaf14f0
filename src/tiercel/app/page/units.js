// Writes numbers with their unit as people read them: [digits, unit], never more digits than the number deserves.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

const SECONDS = { µs: 1e-6, ms: 1e-3, s: 1 };

/** Three digits at most, the way an instrument shows them. */
function short(value) {
  if (value === 0) return "0";
  if (Math.abs(value) < 0.01) return value.toPrecision(1);
  if (Math.abs(value) < 1) return String(Number(value.toPrecision(2)));
  if (Math.abs(value) < 100) return String(Number(value.toPrecision(3).slice(0, 4)));
  return whole.format(value);
}

/** A count of things. */
export function count(value) {
  return [whole.format(value), ""];
}

/** A rate. */
export function perSecond(value) {
  return [value >= 10 ? whole.format(value) : short(Math.round(value * 100) / 100), "/s"];
}

/** A time that is given in milliseconds. */
export function time(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return ["–", ""];
  if (ms !== 0 && ms < 0.1) return [short(ms * 1000), "µs"];
  if (ms < 1000) return [short(ms), "ms"];
  return [short(ms / 1000), "s"];
}

/** A part of a whole, in per cent; a little is never nothing and nearly all is never all. */
export function share(part, all) {
  if (!all) return ["–", ""];
  const percent = (100 * part) / all;
  if (part > 0 && percent < 1) return ["<1", "%"];
  if (part < all && percent > 99) return [">99", "%"];
  return [String(Math.round(percent)), "%"];
}

/** US dollars; what nobody knows is called unknown, never zero. */
export function cost(dollars) {
  if (typeof dollars !== "number") return ["unknown", ""];
  if (dollars === 0) return ["$0", ""];
  if (dollars < 0.01) return [`$${dollars.toFixed(8).replace(/0+$/, "")}`, ""];
  return [`$${dollars.toFixed(2)}`, ""];
}

/** A percentile out of buckets: an estimate between two bounds, or only the bound where there is no other. */
export function estimate(quantile) {
  if (quantile === null) return ["–", ""];
  if (quantile.low === 0) return signed("<", quantile.high);
  if (quantile.high === Infinity) return signed(">", quantile.low);
  return time(quantile.value * 1000);
}

/** Two percentiles in the unit of the greater one. */
export function estimates(low, high) {
  const shown = estimate(high);
  if (low === null || high === null) return shown;
  const [digits, unit] = estimate(low);
  if (digits === shown[0] && unit === shown[1]) return shown;
  if (unit === shown[1] || digits.startsWith("<"))
    return [`${digits}${unit === shown[1] ? "" : ` ${unit}`} / ${shown[0]}`, shown[1]];
  return [`${short(Number((low.value / SECONDS[shown[1]]).toPrecision(2)))} / ${shown[0]}`, shown[1]];
}

function signed(sign, seconds) {
  const [digits, unit] = time(seconds * 1000);
  return [sign + digits, unit];
}
