import type { LimitView } from "../../src/admin/key-view.ts";
import { count, duration } from "./format.ts";

/** A limit of a key or a tenant with what counts towards it. */
export interface LimitLine {
  readonly limit: string;
  readonly label: string;
  readonly used: number;
  readonly max: number;
  readonly text: string;
  readonly isFull: boolean;
  /** When the count resets, RFC 3339; null for a limit that is not for a day, a week or a month. */
  readonly resetsAt: string | null;
}

/** Returns what the page shows of a limit. */
export function toLimitLine({ limit, used, max, resets_at: resetsAt }: LimitView): LimitLine {
  const isAudio = limit.startsWith("audio_seconds");
  const written = (value: number): string => (isAudio && value > 0 ? duration(Math.ceil(value) * 1000) : count(value));
  return {
    limit,
    label: limit.replace("audio_seconds", "audio").replaceAll("_per_", "/").replaceAll("_", " "),
    used,
    max,
    text: `${written(used)} of ${written(max)}`,
    isFull: used >= max,
    resetsAt,
  };
}
