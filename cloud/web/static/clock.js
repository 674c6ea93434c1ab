// The local clock of an agreement: days, periods of its cycle, windows of its tariff. The browser's own zone data is asked
// and not the supplier's; where the two editions differ, a statement says which one it was made with.

const DAY = 86400000;
const formats = new Map();

/** Local date and clock of an instant: {day: "2026-11-01", minute, hour: with its offset in minutes}. */
export function localAt(ms, zone) {
  if (!formats.has(zone)) {
    const parts = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
    formats.set(zone, new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...parts }));
  }
  const told = Object.fromEntries(formats.get(zone).formatToParts(ms).map(({ type, value }) => [type, value]));
  const day = `${told.year.padStart(4, "0")}-${told.month}-${told.day}`;
  const clock = Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second);
  return { day, minute: Number(told.hour) * 60 + Number(told.minute), offset: (clock - Math.floor(ms / 1000) * 1000) / 60000 };
}

export const number = (day) => Math.round(Date.parse(`${day}T00:00:00Z`) / DAY);
export const dayOf = (count) => new Date(count * DAY).toISOString().slice(0, 10);

const midnights = new Map();

/** The first instant of a local day; looked for once, because the clock is slow to ask. */
export function midnight(day, zone) {
  const name = `${day} ${zone}`;
  if (!midnights.has(name)) midnights.set(name, foundMidnight(day, zone));
  return midnights.get(name);
}

function foundMidnight(day, zone) {
  let low = number(day) * DAY - 30 * 3600000;
  let high = low + 60 * 3600000;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (localAt(middle, zone).day < day) low = middle;
    else high = middle;
  }
  return high;
}

const MONTHS = { month: 1, quarter: 3, year: 12 };
const DAYS = { day: 1, week: 7 };

/** The local days [first, end) of the whole period of a cycle that a day belongs to. */
export function wholePeriod(cycle, day) {
  const { unit = "month", every = 1, anchor = "2024-01-01", anchor_day = null, short_months = "last_day" } = cycle ?? {};
  if (DAYS[unit]) {
    const length = every * DAYS[unit];
    const first = number(day) - ((((number(day) - number(anchor)) % length) + length) % length);
    return [dayOf(first), dayOf(first + length)];
  }
  const [year, month, of] = anchor.split("-").map(Number);
  const start = (turn) => {
    const at = year * 12 + month - 1 + turn * every * MONTHS[unit];
    const begins = Date.UTC(Math.floor(at / 12), ((at % 12) + 12) % 12, 1) / DAY;
    const next = Date.UTC(Math.floor((at + 1) / 12), (((at + 1) % 12) + 12) % 12, 1) / DAY;
    const wanted = begins + (anchor_day ?? of) - 1;
    return dayOf(wanted < next ? wanted : short_months === "last_day" ? next - 1 : next);
  };
  const [y, m] = day.split("-").map(Number);
  let turn = Math.floor((y * 12 + m - year * 12 - month) / (every * MONTHS[unit]));
  while (start(turn) > day) turn -= 1;
  while (start(turn + 1) <= day) turn += 1;
  return [start(turn), start(turn + 1)];
}

export const inSeason = (season, day) => {
  const at = day.slice(5);
  return season.first <= season.last ? season.first <= at && at <= season.last : at >= season.first || at <= season.last;
};

/** The window of the clock that counts at an instant. */
export function windowAt(ms, terms, zone) {
  const { day, minute } = localAt(ms, zone);
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  const countsOn = (rule, on) => {
    const weekday = ((number(on) + 3) % 7) + 1;
    if (rule.weekdays && !rule.weekdays.includes(weekday)) return false;
    const holidays = rule.holidays ?? "like_any_day";
    if (holidays !== "like_any_day" && (holidays === "only") !== (terms.holidays ?? []).includes(on)) return false;
    return !rule.seasons || (terms.seasons ?? []).some((one) => rule.seasons.includes(one.name) && inSeason(one, on));
  };
  const fits = (rule) => {
    const begins = minutes(rule.from ?? "00:00");
    const ends = minutes(rule.to ?? "24:00");
    if (begins < ends) return begins <= minute && minute < ends && countsOn(rule, day);
    if (minute >= begins) return countsOn(rule, day);
    const began = (terms.over_midnight ?? "day_it_began") === "day_it_began" ? dayOf(number(day) - 1) : day;
    return minute < ends && countsOn(rule, began);
  };
  return terms.rules.find(fits)?.window ?? terms.otherwise ?? "other";
}

/** The bucket of the local clock that an instant falls into, as a row names it. */
export function bucketAt(ms, bucket, zone) {
  const { day, minute, offset } = localAt(ms, zone);
  if (bucket === "month") return day.slice(0, 7);
  if (bucket === "day") return day;
  const two = (value) => String(value).padStart(2, "0");
  if (bucket === "hour") {
    const of = Math.abs(offset);
    return `${day}T${two(Math.floor(minute / 60))}${offset < 0 ? "-" : "+"}${two(Math.floor(of / 60))}:${two(of % 60)}`;
  }
  const thursday = number(day) - ((number(day) + 3) % 7) + 3;
  const year = dayOf(thursday).slice(0, 4);
  return `${year}-W${two(Math.floor((thursday - number(`${year}-01-01`)) / 7) + 1)}`;
}
