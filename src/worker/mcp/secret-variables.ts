import { isRecord } from "../../json/parse.ts";
import { variablesIn } from "./expansion.ts";

/** The keys of an entry whose text is a secret, whole or in part. */
const SECRET_TEXTS = ["auth_token"] as const;
/** The keys of an entry that hold a map of such texts: a header may be a key for the server behind the relay. */
const SECRET_MAPS = ["headers"] as const;

/**
 * Returns the names of the environment variables that hold secrets of any server in a servers file, including disabled ones.
 * No program that the worker starts may get them. This is the only list of them: a new key with secrets belongs here.
 */
export function secretVariables(entries: readonly (readonly [string, unknown])[]): readonly string[] {
  const names = entries.flatMap(([, entry]) => {
    if (!isRecord(entry)) return [];
    const callers = isRecord(entry["callers"]) ? Object.values(entry["callers"]).filter(isRecord) : [];
    const named = [entry["auth_token_env"], ...callers.map((caller) => caller["token_env"])];
    const texts = [
      ...SECRET_TEXTS.map((key) => entry[key]),
      ...SECRET_MAPS.flatMap((key) => (isRecord(entry[key]) ? Object.values(entry[key]) : [])),
      ...callers.map((caller) => caller["token"]),
    ];
    return [
      ...named.filter((each) => typeof each === "string"),
      ...texts.flatMap((text) => (typeof text === "string" ? variablesIn(text) : [])),
    ];
  });
  return [...new Set(names)];
}
