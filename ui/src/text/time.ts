// Times as people of a language write them. The formatters are kept: making one takes longer than using it.

type Kind = "time" | "day" | "date" | "full";

const FORMATS: Record<Kind, Intl.DateTimeFormatOptions> = {
  time: { hour: "2-digit", minute: "2-digit" },
  day: { weekday: "long", day: "numeric", month: "long" },
  date: { day: "numeric", month: "short" },
  full: { dateStyle: "full", timeStyle: "medium" },
};

const formatters = new Map<string, Intl.DateTimeFormat>();

function format(kind: Kind, locale: string, ms: number, more: Intl.DateTimeFormatOptions = {}): string {
  const key = `${kind} ${locale} ${JSON.stringify(more)}`;
  const formatter = formatters.get(key) ?? new Intl.DateTimeFormat(locale, { ...FORMATS[kind], ...more });
  formatters.set(key, formatter);
  return formatter.format(ms);
}

function daysAgo(ms: number, now: number): number {
  const day = (at: number) => new Date(at).setHours(12, 0, 0, 0);
  return Math.round((day(now) - day(ms)) / 86_400_000);
}

function yearIfAnother(ms: number, now: number): Intl.DateTimeFormatOptions {
  return new Date(ms).getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" };
}

export function clockTime(ms: number, locale: string): string {
  return format("time", locale, ms);
}

export function fullTime(ms: number, locale: string): string {
  return format("full", locale, ms);
}

/** "Today", "Yesterday", or the day itself. */
export function dayName(ms: number, locale: string, now: number): string {
  const ago = daysAgo(ms, now);
  if (ago === 0 || ago === 1) {
    const name = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-ago, "day");
    return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
  }
  return format("day", locale, ms, yearIfAnother(ms, now));
}

/** The shortest form that still says when: the time today, else the date. */
export function briefTime(ms: number, locale: string, now: number): string {
  return daysAgo(ms, now) === 0 ? clockTime(ms, locale) : format("date", locale, ms, yearIfAnother(ms, now));
}

/** "0.8 s": how long something took. The symbol is the same in every language. */
export function seconds(ms: number, locale: string): string {
  const options = { minimumFractionDigits: 1, maximumFractionDigits: 1 } as const;
  return `${new Intl.NumberFormat(locale, options).format(ms / 1000)}\u00a0s`;
}

/** "12.3 GB" */
export function bytes(size: number, locale: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  const step = Math.min(units.length - 1, size < 1 ? 0 : Math.floor(Math.log10(size) / 3));
  const unit = units[step] ?? "byte";
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale, options).format(size / 1000 ** step);
}

/** "n1, n2 and n3" */
export function list(items: readonly string[], locale: string): string {
  return new Intl.ListFormat(locale).format(items);
}
