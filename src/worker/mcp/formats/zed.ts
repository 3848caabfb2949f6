import { isRecord } from "../../../json/parse.ts";
import { UnusableEntry, type WrittenEntry, without, withSwitch } from "./entry-form.ts";

/** Turns an entry of `context_servers` in the settings of Zed into one of `mcpServers`. */
export function fromZed(entry: WrittenEntry): WrittenEntry | UnusableEntry {
  const { command, ...rest } = withSwitch(without(entry, ["source", "settings"]));
  if (command === undefined && rest["url"] === undefined && rest["disabled"] !== true) {
    return new UnusableEntry("it is started by an extension of Zed; give its command or its url");
  }
  // Until 2025 the program was a map of its own.
  if (!isRecord(command)) return command === undefined ? rest : { ...rest, command };
  const { path, args, env } = command;
  return { ...rest, command: path, ...(args ? { args } : {}), ...(env ? { env } : {}) };
}
