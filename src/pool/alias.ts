/** Quantization marks as Ollama, llama.cpp, vLLM and LM Studio write them at the end of a tag. */
const QUANTIZATION = /-(?:i?q\d[a-z0-9_]*|[bf]?f?p?(?:8|16|32)|int[48]|nf4|mxfp4|awq|gptq)$/i;

/** The parts of a name that Ollama adds by itself: the host and the namespace of its own library. */
const LIBRARY = /^(?:registry\.ollama\.ai\/)?library\//;

/** Words in a tag that mark a model as tuned for chat. */
const TUNED_FOR_CHAT = /-(?:instruct|chat|it)(?:-|$)/i;

/** The tag of a name: `8b` of `llama3:8b`; undefined without one. A colon before a slash belongs to a host. */
function tagOf(model: string): string | undefined {
  const colon = model.lastIndexOf(":");
  const isTag = colon > 0 && colon < model.length - 1 && !model.includes("/", colon);
  return isTag ? model.slice(colon + 1) : undefined;
}

/**
 * Returns the name under which Ollama lists the model that it takes for this one: `llama3` is `llama3:latest`, and
 * `library/llama3:8b` is `llama3:8b`. Both names mean the same weights. The name itself where Ollama changes nothing.
 */
export function listedName(model: string): string {
  const name = model.replace(LIBRARY, "");
  return tagOf(name) === undefined ? `${name}:latest` : name;
}

/**
 * Returns what two names must have in common for one model to stand in for the other: `name:size`, whatever follows the
 * size. `llama3:8b-instruct-q4_K_M` and `llama3:8b` both give `llama3:8b`. Undefined for a name without a tag, and for a
 * model that Ollama runs in its cloud: neither has a stand-in.
 */
export function aliasKey(model: string): string | undefined {
  const tag = tagOf(model);
  if (tag === undefined || tag.startsWith("-") || /(?:^|-)cloud$/i.test(tag)) return undefined;
  const [size = tag] = tag.split("-", 1);
  return model.slice(0, model.length - tag.length) + size;
}

/** Returns the name by which models that may stand in for each other are grouped: the alias, else the listed name. */
export function groupOf(model: string): string {
  const listed = listedName(model);
  return aliasKey(listed) ?? listed;
}

/**
 * Orders names of one alias by how well each stands in for `asked`: first those that differ in their quantization only,
 * then those tuned for chat, then the rest; equals in alphabetical order.
 */
export function byPreference(asked: string, names: Iterable<string>): string[] {
  const wanted = listedName(asked).replace(QUANTIZATION, "");
  const rank = (name: string): number => {
    if (name.replace(QUANTIZATION, "") === wanted) return 0;
    return TUNED_FOR_CHAT.test(name) ? 1 : 2;
  };
  return [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
