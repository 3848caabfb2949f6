import type { ModelInfo } from "../wire/model-info.ts";
import { statusesIn } from "../wire/model-status.ts";
import type { Seat } from "./seat.ts";

/** What the workers of one model say about it together. */
export interface ModelFacts {
  readonly type: string | undefined;
  readonly contextLength: number | undefined;
  readonly maxContextLength: number | undefined;
  readonly inputModalities: readonly string[] | undefined;
  readonly outputModalities: readonly string[] | undefined;
  readonly status: string | undefined;
}

/**
 * Joins what several workers say about one model into what is true wherever a request goes: the smallest sizes, the
 * modalities that all have, and a type only if all that name one agree. A model counts as loaded if any worker has it in
 * memory. Workers that say nothing change nothing.
 */
export function joinInfo(infos: readonly ModelInfo[]): ModelFacts {
  return {
    type: agreed(infos.map(({ type }) => type)),
    contextLength: smallest(infos.map((info) => info.context_length)),
    maxContextLength: smallest(infos.map((info) => info.max_context_length)),
    inputModalities: common(infos.map((info) => info.input_modalities)),
    outputModalities: common(infos.map((info) => info.output_modalities)),
    status: infos.some(({ status }) => status === "loaded") ? "loaded" : agreed(infos.map(({ status }) => status)),
  };
}

/** Returns what a worker says about its models, with their present status; an empty list if it says nothing. */
export function infoOf({ session: { offer }, info }: Seat): readonly ModelInfo[] {
  if (info.length === 0 && offer.loaded === undefined) return info;
  const said = new Map(info.map((each) => [each.id, each]));
  const statusOf = statusesIn(offer);
  return offer.models.map((id) => ({ ...said.get(id), id, status: statusOf(id).word }));
}

/** Writes what is known about a model in the form that a worker uses. */
export function toInfo(id: string, facts: ModelFacts): ModelInfo {
  const { type, contextLength, maxContextLength, inputModalities, outputModalities, status } = facts;
  return {
    id,
    ...(type !== undefined && { type }),
    ...(contextLength !== undefined && { context_length: contextLength }),
    ...(maxContextLength !== undefined && { max_context_length: maxContextLength }),
    ...(inputModalities !== undefined && { input_modalities: [...inputModalities] }),
    ...(outputModalities !== undefined && { output_modalities: [...outputModalities] }),
    ...(status !== undefined && { status }),
  };
}

type Maybe<T> = T | null | undefined;

function said<T>(values: readonly Maybe<T>[]): readonly T[] {
  return values.filter((value): value is T => value !== null && value !== undefined);
}

function agreed(values: readonly Maybe<string>[]): string | undefined {
  const [first, ...rest] = said(values);
  return rest.every((value) => value === first) ? first : undefined;
}

function smallest(values: readonly Maybe<number>[]): number | undefined {
  const sizes = said(values).filter((size) => size > 0);
  return sizes.length === 0 ? undefined : Math.min(...sizes);
}

function common(values: readonly Maybe<readonly string[]>[]): readonly string[] | undefined {
  const [first, ...rest] = said(values);
  return first && [...new Set(first)].filter((word) => rest.every((list) => list.includes(word)));
}
