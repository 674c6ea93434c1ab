// Exact arithmetic on plain digits: fractions of BigInt, because a bill that is checked in floating point is not checked.

export class Exact {
  constructor(over, under = 1n) {
    this.over = under < 0n ? -over : over;
    this.under = under < 0n ? -under : under;
  }

  /** From ``-12.345``, or from a fraction such as ``3000/31``. */
  static of(text) {
    const found = /^(-?)(\d+)(?:\.(\d+))?(?:\/(\d+))?$/.exec(text);
    if (!found) throw new RangeError(`${text} is no number in plain digits`);
    const [, sign, whole, digits = "", below = "1"] = found;
    const over = BigInt(whole + digits) * (sign ? -1n : 1n);
    return new Exact(over, 10n ** BigInt(digits.length) * BigInt(below));
  }

  plus(other) {
    return new Exact(this.over * other.under + other.over * this.under, this.under * other.under);
  }

  minus(other) {
    return this.plus(new Exact(-other.over, other.under));
  }

  times(other) {
    return new Exact(this.over * other.over, this.under * other.under);
  }

  by(other) {
    return new Exact(this.over * other.under, this.under * other.over);
  }

  less(other) {
    return this.over * other.under < other.over * this.under;
  }

  get negative() {
    return this.over < 0n;
  }

  get zero() {
    return this.over === 0n;
  }

  /** The whole number below, for numbers that are not negative. */
  get whole() {
    return new Exact(this.over / this.under);
  }

  /** The smaller of two; the greater. */
  least(other) {
    return other.less(this) ? other : this;
  }

  most(other) {
    return this.less(other) ? other : this;
  }

  /** At most so many decimals (half up), without trailing zeros. */
  short(places) {
    const told = this.rounded(places, "half_up").replace(/0+$/, "");
    return told.endsWith(".") ? told.slice(0, -1) : told;
  }

  /** As a statement shows an amount that is not rounded, and as it shows a quantity. */
  get text() {
    return this.short(12);
  }

  get quantity() {
    return this.short(18);
  }

  equals(other) {
    return this.over * other.under === other.over * this.under;
  }

  /** Rounded once to so many digits, as a text; half away from zero unless the mode says otherwise. */
  rounded(digits, mode) {
    const factor = 10n ** BigInt(digits);
    const negative = this.over < 0n;
    const scaled = (negative ? -this.over : this.over) * factor;
    let units = scaled / this.under;
    const rest = scaled % this.under;
    const twice = 2n * rest;
    const tie = twice === this.under;
    const up = {
      half_up: twice >= this.under,
      half_down: twice > this.under,
      half_even: twice > this.under || (tie && units % 2n === 1n),
      up: rest > 0n,
      down: false,
      ceiling: rest > 0n && !negative,
      floor: rest > 0n && negative,
    }[mode];
    if (up === undefined) throw new RangeError(`the rounding ${mode} is not known here`);
    if (up) units += 1n;
    const text = units.toString().padStart(digits + 1, "0");
    const plain = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
    return negative && units > 0n ? `-${plain}` : plain;
  }
}
