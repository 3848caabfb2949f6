import type { ModelInfo } from "../wire/model-info.ts";
import { MAX_MODELS } from "../wire/names.ts";
import type { LoadedModels } from "./loaded-models.ts";

/** One model under another name than the backend's. */
export interface Rename {
  /** The name that clients see and use. */
  readonly shown: string;
  /** The backend's name. */
  readonly backend: string;
}

/** The operator's choice of models. */
export interface ModelChoice {
  /** Names, and patterns with `*`; undefined: all that the backend lists. */
  readonly models: readonly string[] | undefined;
  readonly renames: readonly Rename[];
}

/** The models that a backend has. */
export interface BackendModels {
  readonly models: readonly string[];
  readonly info: readonly ModelInfo[];
  /** The models that it has in memory; undefined if it does not say. */
  readonly loaded: LoadedModels | undefined;
  /** False for a server without a list: `models` is then a default name. */
  readonly listsModels: boolean;
}

/** The models that a worker offers. */
export interface OfferedModels {
  readonly models: readonly string[];
  readonly info: readonly ModelInfo[];
  /** Those of the models that the backend has in memory; undefined if it does not say. */
  readonly loaded: readonly string[] | undefined;
  /** The backend's names that it does not list, but that are offered because the operator names them. */
  readonly unlisted: readonly string[];
}

/** The most characters of what is said of models, as JSON. They must fit one message together with the names. */
const MAX_INFO_CHARS = 256 * 1024;

/**
 * Returns the models to offer: of those that the backend lists, the ones that were chosen; those that were chosen although
 * it does not list them; and the renamed ones, under their new names only.
 */
export function offeredModels(backend: BackendModels, choice: ModelChoice): OfferedModels {
  const listed = new Set(backend.models);
  const said = new Map(backend.info.map((info) => [info.id, info]));
  // Ollama takes a name without a tag for the tag `latest`.
  const toListed = (name: string): string =>
    !listed.has(name) && listed.has(`${name}:latest`) ? `${name}:latest` : name;
  const chosen = chooseModels(backend, choice.models, toListed);
  const renames = choice.renames.map(({ shown, backend: name }) => ({ shown, name: toListed(name) }));
  for (const { name } of renames) chosen.delete(name);
  for (const { shown } of renames) chosen.delete(shown);
  const models = [...renames.map(({ shown }) => shown), ...chosen].slice(0, MAX_MODELS);
  const info = [
    ...renames.map(({ shown, name }) => ({
      ...said.get(name),
      id: shown,
      ...(shown === name ? {} : { sent_as: name }),
    })),
    ...[...chosen].flatMap((id) => said.get(id) ?? []),
  ];
  const named = [...chosen, ...renames.map(({ name }) => name)];
  const unlisted = backend.listsModels ? named.filter((name) => !listed.has(name)) : [];
  const sentAs = new Map(renames.map(({ shown, name }) => [shown, name]));
  const loaded = loadedAmong(models, backend.loaded, (model) => sentAs.get(model) ?? model);
  return { models, info: bounded(info), loaded, unlisted: [...new Set(unlisted)] };
}

function loadedAmong(
  models: readonly string[],
  loaded: LoadedModels | undefined,
  toBackend: (model: string) => string,
): readonly string[] | undefined {
  if (loaded === undefined || loaded === "all") return loaded && models;
  const inMemory = new Set(loaded);
  return models.filter((model) => inMemory.has(toBackend(model)));
}

function chooseModels(
  { models, listsModels }: BackendModels,
  wanted: readonly string[] | undefined,
  toListed: (name: string) => string,
): Set<string> {
  if (!wanted) return new Set(models);
  const names = wanted.filter((name) => !name.includes("*"));
  if (!listsModels) return new Set(names.length > 0 ? names : models);
  const exact = new Set(names.map(toListed));
  const patterns = wanted.filter((name) => name.includes("*")).map(toPattern);
  const chosen = models.filter((model) => exact.has(model) || patterns.some((pattern) => pattern.test(model)));
  return new Set([...chosen, ...exact]);
}

/** Turns a name with `*` for any text into a pattern. */
function toPattern(glob: string): RegExp {
  return new RegExp(`^${glob.replace(/[^*]+/g, RegExp.escape).replace(/\*+/g, ".*")}$`, "s");
}

function bounded(info: readonly ModelInfo[]): readonly ModelInfo[] {
  let chars = 0;
  return info.filter((each) => {
    // The id alone says nothing.
    if (Object.keys(each).length === 1) return false;
    chars += JSON.stringify(each).length;
    return chars <= MAX_INFO_CHARS;
  });
}
