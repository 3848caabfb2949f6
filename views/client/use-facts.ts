// What the lines for programs are made from, and what they consist of.

/** What a model does. */
export type Use = "chat" | "embedding" | "speech";

export interface UseFacts {
  /** The origin at which programs reach the server: `https://moorage.example.com`. */
  readonly origin: string;
  readonly model: string;
  readonly use: Use;
  /** Whether the server asks for a key. Programs that insist on one get a word that means nothing. */
  readonly hasKeys: boolean;
}

/** A text to copy, and where it belongs. */
export interface UseBlock {
  /** `Shell`, a file, or the place in the program. */
  readonly place: string;
  /** The language of the text, for highlighting in documents; empty for fields. */
  readonly language: "sh" | "python" | "js" | "toml" | "json" | "yaml" | "";
  readonly text: string;
}

/** One program, and how it uses the server. */
export interface UseLines {
  readonly id: ProgramId;
  readonly title: string;
  readonly blocks: readonly UseBlock[];
  /** What is typed into fields of the program, in their order. */
  readonly fields: readonly UseField[];
  readonly note: string;
}

export interface UseField {
  readonly label: string;
  /** The value; that of the key is empty, because no page shows it. */
  readonly value: string;
}

export const PROGRAM_IDS = [
  "curl",
  "python",
  "typescript",
  "claude-code",
  "codex",
  "opencode",
  "open-webui",
  "continue",
  "n8n",
  "warp",
  "cursor",
] as const;

export type ProgramId = (typeof PROGRAM_IDS)[number];

/** The variable from which the lines take the key. */
export const KEY_VARIABLE = "MOORAGE_KEY";
/** What programs get that insist on a key where the server asks for none. */
export const NO_KEY = "none";

/** Makes what to paste for one program. */
export type Maker = (facts: UseFacts) => Omit<UseLines, "id">;
