import { type Commands, findCommand } from "./commands.ts";

// Until version 0.1 there were two binaries, moorage-server and moorage-worker, and the container image started files. Service
// units, links and scripts that say so go on to work.

/** What the container image was told to start, by the command that does it now. */
const FORMER_FILES: ReadonlyMap<string, string> = new Map([
  ["src/main.ts", "serve"],
  ["src/worker/main.ts", "worker"],
  ["src/doctor/main.ts", "doctor"],
]);

/**
 * Returns the words for `moorage` that mean what a former program was told. `program` is the name or path by which this one
 * was started; `operatorCommands` are those that the former server had itself. All other words stay as they are.
 */
export function currentWords(program: string, argv: readonly string[], operatorCommands: Commands): readonly string[] {
  const [word = "", ...rest] = argv;
  const file = FORMER_FILES.get(word);
  if (file === "serve") return serverWords(rest, operatorCommands);
  if (file !== undefined) return [file, ...rest];
  const former = /(?:^|[/\\])moorage-(server|worker)(?:-(?:linux|darwin|windows)-\w+)?(?:\.exe)?$/.exec(program)?.[1];
  if (former === "worker") return ["worker", ...argv];
  return former === "server" ? serverWords(argv, operatorCommands) : argv;
}

function serverWords(argv: readonly string[], operatorCommands: Commands): readonly string[] {
  return findCommand(argv[0] ?? "", operatorCommands) ? argv : ["serve", ...argv];
}
