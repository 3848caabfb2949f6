import * as v from "valibot";
import { KEY, list, parsed } from "../settings/kinds.ts";
import type { Kind } from "../settings/setting.ts";
import { isModelId } from "../wire/names.ts";
import type { Rename } from "./offered-models.ts";
import { parseProxyUrl } from "./outgoing-proxy.ts";

// Kinds of settings that only the worker has.

/** The URL of an outgoing proxy. */
export const proxyUrl: Kind<string> = {
  schema: parsed(parseProxyUrl),
  placeholder: "url",
  accepts: "an http or https URL, with or without user name and password",
  hint: "such as http://user:password@proxy.example.com:3128; other kinds of proxy, such as socks5, cannot be used",
};

/** The key, or the new key and the previous one. An empty item is refused, since it may be a variable that is not set. */
export const clientKeys: Kind<readonly string[]> = {
  schema: parsed((text) => {
    const keys = text.split(",").map((each) => each.trim());
    return keys.length <= 2 && keys.every((each) => KEY.test(each)) ? keys : undefined;
  }),
  placeholder: "key[,previous]",
  accepts: "one key of visible ASCII characters without blanks, or the new key and the previous one, comma separated",
};

/** A join token: `mj_`, its id, its secret and its check. */
export const joinToken: Kind<string> = {
  schema: parsed((text) => (/^mj_[0-9a-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/.test(text) ? text : undefined)),
  placeholder: "token",
  accepts: "a whole join token, which begins with mj_",
};

const pairList = list(parsed(parseRename), {
  placeholder: "public=backend,…",
  accepts: "pairs public=backend of model ids, comma separated, with each public name once",
  hint: "such as gpt-4o=qwen3:8b",
});
/** Pairs of a name for clients and the backend's name, in which no name for clients is repeated. */
export const renameList = {
  ...pairList,
  schema: v.pipe(
    pairList.schema,
    v.check((renames) => new Set(renames.map(({ shown }) => shown)).size === renames.length),
  ),
};

/** Reads `public=backend`. A backend's name may hold more equals signs. */
function parseRename(text: string): Rename | undefined {
  const at = text.indexOf("=");
  const [shown, backend] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  return at > 0 && isModelId(shown) && isModelId(backend) ? { shown, backend } : undefined;
}

/** A comma, before the name of another header. A value may contain commas, too. */
const BETWEEN_HEADERS = /,(?=\s*[\w-]+:\s)/;

/** Headers, one per item. A value may contain commas and variables; see `Expansion`. */
export const headerLines: Kind<readonly (readonly [string, string])[]> = {
  schema: v.pipe(
    v.union([v.string(), v.array(v.string())]),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const lines = typeof dataset.value === "string" ? dataset.value.split(BETWEEN_HEADERS) : dataset.value;
      const pairs = lines.map((each) => /^\s*([^\s:]+):\s+(\S.*?)\s*$/.exec(each)?.slice(1));
      const read = pairs.flatMap(([name, value] = []) => (name && value ? [[name, value] as const] : []));
      if (read.length === lines.length) return read;
      addIssue();
      return NEVER;
    }),
  ),
  placeholder: "name: value",
  accepts: "headers in the form 'Name: value', comma separated",
  isList: true,
};

/** Whether something is done. The flag alone switches it on. */
export const onOff: Kind<"true" | "false"> = {
  schema: parsed((text) => {
    if (text === "true" || text === "1") return "true";
    return text === "false" || text === "0" ? "false" : undefined;
  }),
  placeholder: "true|false",
  accepts: "true or false, or 1 or 0",
  isNumeric: true,
  isSwitch: true,
};
