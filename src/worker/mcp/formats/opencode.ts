import { renamed, variable, type WrittenEntry, withArgs, withSwitch, withTexts } from "./entry-form.ts";

/** How opencode refers to a variable of the environment. */
const VARIABLE = /\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Turns an entry of `mcp` in the `opencode.json` of opencode into one of `mcpServers`. */
export function fromOpencode(entry: WrittenEntry): WrittenEntry {
  const { type, ...rest } = withTexts(withSwitch(withArgs(renamed(entry, { environment: "env" }))), (text) =>
    text.replace(VARIABLE, (_, name: string) => variable(name)),
  );
  // A remote server may speak either transport.
  return type === "remote" || type === undefined ? rest : { ...rest, type };
}
