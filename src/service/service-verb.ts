/** What `moorage worker` does with a service. */
export type ServiceVerb = "install" | "uninstall" | "status";

/** Whether a word of `moorage worker` asks for something about a service. */
export function isServiceVerb(word: string | undefined): word is ServiceVerb {
  return word === "install" || word === "uninstall" || word === "status";
}
