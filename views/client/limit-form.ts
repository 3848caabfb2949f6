// The fields of a form for limits. All functions are pure.

/** The fields as they are typed. An empty one sets no limit. */
export interface LimitForm {
  parallel: string;
  max_waiting: string;
  requests_per_minute: string;
  tokens_per_minute: string;
  tokens_per_day: string;
  tokens_per_week: string;
  tokens_per_month: string;
  audio_seconds_per_day: string;
  audio_seconds_per_week: string;
  audio_seconds_per_month: string;
  timezone: string;
  on_limit: string;
}

type Limits = Readonly<Record<string, string | number>>;

const AMOUNTS = [
  "parallel",
  "max_waiting",
  "requests_per_minute",
  "tokens_per_minute",
  "tokens_per_day",
  "tokens_per_week",
  "tokens_per_month",
  "audio_seconds_per_day",
  "audio_seconds_per_week",
  "audio_seconds_per_month",
] as const;
export const LIMITS = [...AMOUNTS, "timezone", "on_limit"] as const;

export function emptyLimits(): LimitForm {
  return limitsOf({});
}

/** Returns the fields with the limits that are set now. */
export function limitsOf(limits: Limits): LimitForm {
  return Object.fromEntries(LIMITS.map((name) => [name, String(limits[name] ?? "")])) as unknown as LimitForm; // LIMITS has all its fields
}

/** Whether a field of a form is one for a limit. */
export function isLimit(field: string): boolean {
  return LIMITS.some((limit) => limit === field);
}

/** Returns the limits that are typed, as the server takes them. */
export function toLimits(form: LimitForm): Limits {
  const typed = LIMITS.map((name) => [name, form[name].trim()] as const);
  return Object.fromEntries(typed.filter(([, text]) => text !== ""));
}
