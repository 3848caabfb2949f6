import manifest from "../../package.json" with { type: "json" };

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable by which the launcher in bin/ says how it was started. It is no setting, and may be left out. */
export const LAUNCHED_AS = "MOORAGE_LAUNCHED_AS";

/** The version of Bun that this project is tested with. */
export const BUN_VERSION: string = manifest.engines.bun.replace(/^\D+/, "");

/** More characters than any sensible command has. */
const MAX_CHARS = 500;

/**
 * Returns the words that start this program again in the form in which it was started, to be pasted before a command such as
 * `worker`: `bun run moorage` in a clone, `npx -y moorage@0.2.0` for a package, `moorage` if it is installed.
 */
export function launcherWords(env: Environment): string {
  const said = env[LAUNCHED_AS];
  if (said !== undefined && isShowable(said)) return said;
  if (env["npm_lifecycle_event"] === "bunx") return bunxWords(env["npm_lifecycle_script"] ?? "");
  if (env["npm_lifecycle_event"] === "npx") return "npx -y moorage";
  return isScriptOfClone(env) ? cloneWords(env) : "moorage";
}

/** A package manager that ran a script of this project's package.json says so. `bun run demo` is such a script, too. */
function isScriptOfClone(env: Environment): boolean {
  return env["npm_package_name"] === manifest.name && env["npm_lifecycle_event"] !== undefined;
}

/** Bun leaves the variables of npm as they are, so that they show whether npx brought it. If not, a Bun is installed. */
function cloneWords(env: Environment): string {
  const isByNpm = env["npm_config_user_agent"]?.startsWith("npm/") ?? false;
  return isByNpm ? `npx -y bun@${BUN_VERSION} run moorage` : "bun run moorage";
}

/** `bunx` takes the name of a package as it is, and a URL or a path only behind `-p`. */
function bunxWords(spec: string): string {
  if (!isShowable(spec)) return "bunx moorage";
  return /^moorage(?:@[\w.^~-]+)?$/.test(spec) ? `bunx ${spec}` : `bunx -p ${shellWord(spec)} moorage`;
}

/** Whether a text is one line that a terminal can show. */
function isShowable(text: string): boolean {
  return text.trim() !== "" && text.length <= MAX_CHARS && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
}

function shellWord(text: string): string {
  return /^[\w./:@^~=%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
