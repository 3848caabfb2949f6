import { isRecord } from "../../../json/parse.ts";

/** A tool in a list, as its MCP server wrote it. */
export type Listed = Readonly<Record<string, unknown>>;

/** The most words of a question that count. */
const MAX_WORDS = 32;
/** How much a word counts that a tool has in its name, its title, its description, or the names of its arguments. */
const WEIGHTS = { name: 6, title: 4, arguments: 2, description: 1 } as const;
/** The part of the weight for a word that only begins alike. */
const BEGINS = 0.5;
/** The fewest characters of a word for that. */
const LEAST_BEGINNING = 3;

/**
 * Returns the tools that fit a question best, the best one first. Rare words count more than those that many tools have. A
 * tool's own name, whole, comes first.
 */
export function findTools(tools: readonly Listed[], question: string, most: number): readonly Listed[] {
  const words = [...new Set(wordsOf(question))].slice(0, MAX_WORDS);
  const indexed = tools.map((tool) => ({ tool, texts: textsOf(tool) }));
  const counts = new Map(words.map((word) => [word, indexed.filter(({ texts }) => weightIn(texts, word) > 0).length]));
  const asked = question.trim().toLowerCase();
  return indexed
    .map(({ tool, texts }) => {
      const score = words.reduce((sum, word) => {
        const rarity = Math.log(1 + tools.length / (counts.get(word) || 1));
        return sum + rarity * weightIn(texts, word);
      }, 0);
      return { tool, score: String(tool["name"]).toLowerCase() === asked ? Number.POSITIVE_INFINITY : score };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ tool }) => tool);
}

type Texts = Readonly<Record<keyof typeof WEIGHTS, ReadonlySet<string>>>;

function textsOf({ name, title, description, inputSchema }: Listed): Texts {
  const properties = isRecord(inputSchema) && isRecord(inputSchema["properties"]) ? inputSchema["properties"] : {};
  return {
    name: new Set(wordsOf(name)),
    title: new Set(wordsOf(title)),
    description: new Set(wordsOf(description)),
    arguments: new Set(Object.keys(properties).flatMap(wordsOf)),
  };
}

function weightIn(texts: Texts, word: string): number {
  let weight = 0;
  for (const part of ["name", "title", "arguments", "description"] as const) {
    if (texts[part].has(word)) weight += WEIGHTS[part];
    else if (word.length >= LEAST_BEGINNING && [...texts[part]].some((each) => isAlike(each, word)))
      weight += WEIGHTS[part] * BEGINS;
  }
  return weight;
}

/** Whether two words begin alike, as `read` and `reads` do, or `write` and `writing`. */
function isAlike(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length);
  let same = 0;
  while (same < shorter && one[same] === other[same]) same += 1;
  return same >= LEAST_BEGINNING && (same === shorter || (same > LEAST_BEGINNING && same >= 0.75 * shorter));
}

/** Splits a text into words, also at the humps of a name such as `readFile`. */
function wordsOf(text: unknown): readonly string[] {
  if (typeof text !== "string") return [];
  const words = text
    .slice(0, 10_000)
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu);
  return words ?? [];
}
