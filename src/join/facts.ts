import { type JoinKind, type JoinLine, workerLines } from "./lines.ts";
import { tarballUrl } from "./sh-script.ts";

/** What lets a worker in: a join token, a client key where the server makes no tokens, or nothing. */
export type WorkerNeeds = "join_token" | "client_key" | "nothing";

/** What `/join` says, to people and to programs. It contains no secret. */
export interface JoinFacts {
  readonly origin: string;
  readonly version: string;
  readonly tarball: string;
  readonly needs: WorkerNeeds;
  /** The lines of each kind of worker that this server serves. */
  readonly kinds: readonly { readonly kind: JoinKind; readonly lines: readonly JoinLine[] }[];
}

/** What stands for the join token in lines for everybody. */
export const TOKEN_PLACEHOLDER = "your-join-token";

/** The words after those of each kind, where it needs some. */
const ARGS: Readonly<Record<JoinKind, readonly string[]>> = {
  llm: [],
  asr: [],
  mcp: ["--url", "http://127.0.0.1:8000/mcp"],
};

export interface JoinFactsOptions {
  readonly origin: string;
  readonly version: string;
  readonly needs: WorkerNeeds;
  readonly kinds: readonly JoinKind[];
}

/** Makes what `/join` says. */
export function joinFacts({ origin, version, needs, kinds }: JoinFactsOptions): JoinFacts {
  const join = needs === "join_token" ? TOKEN_PLACEHOLDER : undefined;
  const linesOf = (kind: JoinKind): readonly JoinLine[] =>
    workerLines({ origin, version, kind, args: ARGS[kind], join, isOpen: needs === "nothing" });
  return {
    origin,
    version,
    tarball: tarballUrl({ origin, version }),
    needs,
    kinds: kinds.map((kind) => ({ kind, lines: linesOf(kind) })),
  };
}

/** What a worker of each kind connects. */
export const KIND_TEXT: Readonly<Record<JoinKind, string>> = {
  llm: "Language models: Ollama, llama.cpp, vLLM, LM Studio and others",
  asr: "Speech to text: speaches, whisper.cpp and others",
  mcp: "An MCP server",
};

/** Says where what lets a worker in comes from. */
export function needText(needs: WorkerNeeds): string {
  switch (needs) {
    case "join_token":
      return `Replace ${TOKEN_PLACEHOLDER} with a join token. An operator of this server makes one under "Add a worker" in the dashboard, or with: moorage join-token create`;
    case "client_key":
      return "This server makes no join tokens. CLIENT_KEY is the key that its operator has set in the variable of the same name.";
    case "nothing":
      return "This server lets workers in without a key.";
  }
}

const SYSTEM_TEXT: Readonly<Record<JoinLine["system"], string>> = {
  any: "any system",
  linux: "Linux",
  macos: "macOS",
  windows: "Windows",
};

/** Returns each text once, with the systems that it is for: `Linux, macOS`. Those of Windows alone are the last. */
export function groupedLines(
  lines: readonly JoinLine[],
): readonly { readonly heading: string; readonly text: string }[] {
  const ordered = lines.toSorted((a, b) => Number(a.system === "windows") - Number(b.system === "windows"));
  const groups = Map.groupBy(ordered, ({ label, text }) => `${label}\0${text}`);
  return [...groups.values()].map((group) => {
    const systems = group.map(({ system }) => SYSTEM_TEXT[system]).join(", ");
    const [{ label, text } = { label: "", text: "" }] = group;
    return { heading: `${systems[0]?.toUpperCase()}${systems.slice(1)} (${label.replace(/^With/, "with")})`, text };
  });
}

/** Writes what `/join` says for a terminal. */
export function joinText(facts: JoinFacts): string {
  const { origin, version, needs, kinds } = facts;
  const parts = kinds.map(({ kind, lines }) =>
    [
      `## ${KIND_TEXT[kind]}`,
      ...groupedLines(lines).flatMap(({ heading, text }) => ["", `${heading}:`, `  ${text}`]),
    ].join("\n"),
  );
  return `${[`Add a worker to ${origin} (Moorage ${version})`, needText(needs), ...parts].join("\n\n")}\n`;
}
