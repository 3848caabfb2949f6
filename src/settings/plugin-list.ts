import * as v from "valibot";
import { atLeastOne, list, parsed } from "./kinds.ts";
import { NFRX_PLUGINS } from "./nfrx-server.ts";
import type { Kind } from "./setting.ts";

/** Ids of plugins, or `*` for all of them. The value is in the order of `known`, which is the order of mounting. */
export function pluginList(known: readonly string[]): Kind<readonly string[]> {
  const isElsewhere = (text: string): boolean => NFRX_PLUGINS.includes(text) && !known.includes(text);
  const each = atLeastOne(
    list(
      parsed((text) => (text === "*" || known.includes(text) || isElsewhere(text) ? text : undefined)),
      { placeholder: "id,…", accepts: `* or at least one of ${known.join(", ")}, comma separated` },
    ),
  );
  return {
    ...each,
    schema: v.pipe(
      each.schema,
      v.transform((ids) => known.filter((id) => ids.includes("*") || ids.includes(id))),
      v.minLength(1),
    ),
    remark(written) {
      const missing = [written]
        .flat()
        .flatMap((each) => each.split(","))
        .map((each) => each.trim())
        .filter(isElsewhere);
      return missing.length === 0 ? undefined : `there is no plugin ${missing.join(" or ")} here; remove it`;
    },
  };
}
