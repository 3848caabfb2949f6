import { isDoctorModel } from "./names.ts";

/** What a worker's key allows it. An absent member restricts nothing. */
export interface WorkerTerms {
  /** The ids that it may register, its own first. It may also register its own id with a dot and more text behind it. */
  readonly ids?: readonly string[] | undefined;
  /** The names and patterns of the models that it may serve. */
  readonly models?: readonly string[] | undefined;
  /** Whether `models` match a model's name. Given if and only if `models` is. */
  readonly mayServe?: ((model: string) => boolean) | undefined;
  /** The only tenants whose requests it gets. */
  readonly tenants?: readonly string[] | undefined;
  /** The most slots that it may have. */
  readonly maxSlots?: number | undefined;
}

/** Returns whether a worker may register an id. */
export function mayRegister({ ids }: WorkerTerms, id: string): boolean {
  if (ids === undefined || ids.includes(id)) return true;
  const [own] = ids;
  return own !== undefined && id.startsWith(`${own}.`);
}

/** Returns whether a worker may serve a model. The doctor's own models are known to the doctor alone, so any worker may. */
export function mayServe(terms: WorkerTerms, model: string): boolean {
  return terms.mayServe === undefined || terms.mayServe(model) || isDoctorModel(model);
}
