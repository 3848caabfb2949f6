import type { Ejection } from "../pool/routing/health.ts";
import type { Seat, SeatModel } from "../pool/seat.ts";
import { statusesIn } from "../wire/model-status.ts";
import type { Moment } from "./moment.ts";

// How a worker serves its models, in the State API: how fast, from memory or not, and whether it is out because of failures.

/** The measured speed of one model on one worker. */
export interface SpeedState {
  readonly model: string;
  /** Input tokens per second until the first byte, without those from a cache; null before five jobs. */
  readonly prefill_tokens_per_s: number | null;
  /** Output tokens per second of one request; null before five jobs. */
  readonly decode_tokens_per_s: number | null;
}

/** The time for which a worker gets no jobs because it failed too often. */
export interface EjectionState {
  /** The model that it is out for; null for all of its models. */
  readonly model: string | null;
  /** Its last failure. */
  readonly reason: string;
  /** RFC 3339. */
  readonly since: string;
  /** RFC 3339: from then on, one job may show that it is back. */
  readonly until: string;
}

/** How many models of a worker have their speeds listed. */
const MAX_SPEEDS = 20;

/** Lists the speeds that were measured, in the order of the worker's models. */
export function toSpeeds(seat: Seat): readonly SpeedState[] {
  const speeds: SpeedState[] = [];
  for (const { model, speed } of seat.byModel.values()) {
    if (speed?.prefill === undefined && speed?.decode === undefined) continue;
    speeds.push({
      model,
      prefill_tokens_per_s: rounded(speed.prefill),
      decode_tokens_per_s: rounded(speed.decode),
    });
    if (speeds.length === MAX_SPEEDS) break;
  }
  return speeds;
}

/** Lists what a worker is out for. */
export function toEjections(seat: Seat, now: Moment): readonly EjectionState[] {
  const found = seat.health?.ejection ? [toEjection(null, seat.health.ejection, now)] : [];
  for (const { model, health } of seat.byModel.values())
    if (health?.ejection) found.push(toEjection(model, health.ejection, now));
  return found;
}

/** Returns whether a worker gets no jobs of some or all of its models because it failed too often. */
export function isOut(seat: Seat): boolean {
  if (seat.health?.isOut) return true;
  for (const { health } of seat.byModel.values()) if (health?.isOut) return true;
  return false;
}

/** Lists the models that a worker has in memory; undefined if it says of none whether it has. */
export function loadedOn(seat: Seat): readonly SeatModel[] | undefined {
  const { offer } = seat.session;
  const statusOf = statusesIn(offer);
  const served = [...seat.byModel.values()];
  if (!served.some(({ model }) => statusOf(model).isLoaded !== undefined)) return undefined;
  return served.filter(({ isLoaded }) => isLoaded);
}

function toEjection(model: string | null, { reason, since, until }: Ejection, now: Moment): EjectionState {
  const at = (elapsed: number): string => new Date(now.at + elapsed - now.elapsed).toISOString();
  return { model, reason, since: at(since), until: at(until) };
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 10) / 10;
}
