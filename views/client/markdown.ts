import type { AlpineApi } from "./alpine.js";
import { lexer, type Token } from "./marked.js";

// Shows what models write. Elements are built one by one, so nothing of a text can become markup of its own: HTML in it is shown
// as text, pictures are not loaded, and links lead only to the web and to mail.

/** The longest text that is laid out; a longer one is shown as it is. */
const MAX_CHARS = 100_000;
/** How deep elements may lie in each other. */
const MAX_DEPTH = 12;

/** Adds the directive `x-markdown="text"`, which fills its element with the text, at most once for each frame. */
export function registerMarkdown(alpine: AlpineApi): void {
  alpine.directive("markdown", (element, { expression }, { effect, evaluate, cleanup }) => {
    let frame = 0;
    let text = "";
    effect(() => {
      text = String(evaluate(expression));
      if (frame !== 0) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        element.replaceChildren(toElements(text));
      });
    });
    cleanup(() => cancelAnimationFrame(frame));
  });
}

/** Returns the elements of a text in Markdown. */
export function toElements(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  if (text.length > MAX_CHARS) fragment.append(wrap("p", [text]));
  else fragment.append(...blocks(lexer(text), 0));
  return fragment;
}

function blocks(tokens: readonly Token[] | undefined, depth: number): readonly (Node | string)[] {
  return (tokens ?? []).flatMap((token) => nodesOf(token, depth));
}

/** The parts of a token that are read here; each kind of token has some of them. */
interface Parts {
  readonly type: string;
  readonly raw: string;
  readonly text?: string;
  readonly href?: string;
  readonly depth?: number;
  readonly lang?: string;
  readonly ordered?: boolean;
  readonly start?: number | "";
  readonly checked?: boolean;
  readonly task?: boolean;
  readonly tokens?: readonly Token[];
  readonly items?: readonly Token[];
  readonly header?: readonly { readonly tokens: readonly Token[] }[];
  readonly rows?: readonly (readonly { readonly tokens: readonly Token[] }[])[];
}

function nodesOf(token: Token, depth: number): readonly (Node | string)[] {
  const { type, raw, text = "", tokens, href = "", ...rest } = token as Parts; // as marked documents its tokens
  if (depth > MAX_DEPTH) return [raw];
  const inside = (): readonly (Node | string)[] => (tokens ? blocks(tokens, depth + 1) : [text]);
  switch (type) {
    case "space":
    case "def":
    case "checkbox":
      return [];
    case "code":
      return [wrap("pre", [wrap("code", [text])])];
    case "codespan":
      return [wrap("code", [text])];
    case "heading":
      // The page has headings of its own, so those of a text begin below them.
      return [wrap(`h${Math.min(6, (rest.depth ?? 1) + 3)}`, inside())];
    case "hr":
    case "br":
      return [document.createElement(type)];
    case "paragraph":
      return [wrap("p", inside())];
    case "blockquote":
    case "strong":
    case "em":
    case "del":
      return [wrap(type, inside())];
    case "list": {
      const list = wrap(rest.ordered === true ? "ol" : "ul", blocks(rest.items, depth + 1));
      if (list instanceof HTMLOListElement && typeof rest.start === "number") list.start = rest.start;
      return [list];
    }
    case "list_item":
      return [wrap("li", [...(rest.task === true ? [rest.checked === true ? "☑ " : "☐ "] : []), ...inside()])];
    case "table":
      return [tableOf(rest, depth)];
    case "link":
      return isSafe(href) ? [linkTo(href, inside())] : inside();
    case "image":
      return isSafe(href) ? [linkTo(href, [text || href])] : [text];
    case "text":
    case "escape":
      return inside();
    default:
      // HTML above all.
      return [raw];
  }
}

function tableOf({ header = [], rows = [] }: Pick<Parts, "header" | "rows">, depth: number): Node {
  const rowOf = (name: "th" | "td", cells: readonly { readonly tokens: readonly Token[] }[]): HTMLElement =>
    wrap(
      "tr",
      cells.map((cell) => wrap(name, blocks(cell.tokens, depth + 1))),
    );
  const body = rows.map((cells) => rowOf("td", cells));
  const table = wrap("table", [wrap("thead", [rowOf("th", header)]), wrap("tbody", body)]);
  const scroller = wrap("div", [table]);
  scroller.className = "said-table";
  return scroller;
}

function linkTo(href: string, inside: readonly (Node | string)[]): Node {
  const link = document.createElement("a");
  Object.assign(link, { href, rel: "noreferrer noopener", target: "_blank" });
  link.append(...inside);
  return link;
}

function isSafe(href: string): boolean {
  return /^(?:https?:\/\/|mailto:)/i.test(href);
}

function wrap(name: string, inside: readonly (Node | string)[]): HTMLElement {
  const element = document.createElement(name);
  element.append(...inside);
  return element;
}
