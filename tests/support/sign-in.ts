import { eventually } from "./eventually.ts";

/** What a person who signs in types and chooses on the pages of an authorization server. */
export interface Person {
  /** Typed into the field for a key. */
  readonly key: string;
  /** Chosen instead of the button that allows. */
  readonly denies?: boolean;
}

/** Where a sign-in ended. */
export interface SignInEnd {
  /** The URL of the client's own to which the authorization server sent the browser, with the code or an error. */
  readonly callback: URL;
  /** The HTML of each page that the person saw, in order. */
  readonly pages: readonly string[];
}

/** Pages and redirects of one sign-in. A person gives up at some point as well. */
const MAX_STEPS = 12;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Does what a browser and its user do with the authorization URL of a client: opens it, keeps cookies, fills in each form, and
 * follows redirects up to the first one that leaves the authorization server, which is not requested. Rejects with the page's
 * text if a page has no form.
 */
export async function signInAt(authorizationUrl: string | URL, person: Person): Promise<SignInEnd> {
  let url = new URL(authorizationUrl);
  const { origin } = url;
  let form: URLSearchParams | undefined;
  const cookies = new Map<string, string>();
  const pages: string[] = [];
  for (let step = 0; step < MAX_STEPS; step++) {
    const headers = { accept: "text/html", cookie: toHeader(cookies), ...(form ? { origin, referer: url.href } : {}) };
    const init: RequestInit = form ? { method: "POST", body: form, headers } : { headers };
    const response = await fetch(url, { ...init, redirect: "manual" });
    keep(cookies, response.headers.getSetCookie());
    const location = response.headers.get("location");
    if (location !== null && REDIRECTS.includes(response.status)) {
      url = new URL(location, url);
      if (url.origin !== origin) return { callback: url, pages };
      if (response.status < 307) form = undefined;
      continue;
    }
    const page = await response.text();
    pages.push(page);
    if (response.status >= 400) throw new Error(`refused with ${response.status}: ${textOf(page)}`);
    const filled = await fillIn(page, person);
    if (!filled) throw new Error(`no form at ${url.pathname}, status ${response.status}: ${textOf(page)}`);
    url = new URL(filled.action || url.href, url);
    form = filled.fields;
  }
  throw new Error(`the sign-in did not end within ${MAX_STEPS} steps; it last showed ${textOf(pages.at(-1) ?? "")}`);
}

/** Follows the last redirect, to the program that wants to sign in. It may open the browser shortly before it listens. */
export async function callBack(callback: URL): Promise<void> {
  await eventually(async () => {
    const response = await fetch(callback).catch(() => undefined);
    await response?.text();
    return response !== undefined;
  }, "the program listens for its callback");
}

/** Returns the fields of the page's form as a browser would send them, or undefined if no form has a button. */
async function fillIn(page: string, person: Person): Promise<{ action: string; fields: URLSearchParams } | undefined> {
  let action = "";
  let forms = 0;
  const fields = new URLSearchParams();
  const buttons: { readonly name: string; readonly value: string }[] = [];
  const first = (): boolean => forms === 1;
  const rewriter = new HTMLRewriter()
    .on("form", {
      element(form) {
        forms++;
        if (first()) action = unescaped(form.getAttribute("action") ?? "");
      },
    })
    .on("form input", {
      element(input) {
        if (!first()) return;
        const [type, name] = [input.getAttribute("type") ?? "text", input.getAttribute("name") ?? ""];
        const value = unescaped(input.getAttribute("value") ?? "");
        if (type === "submit") buttons.push({ name, value });
        else if (type === "checkbox" || type === "radio") {
          if (input.hasAttribute("checked")) fields.append(name, value || "on");
        } else if (name !== "") fields.append(name, type === "hidden" ? value : person.key);
      },
    })
    .on("form button", {
      element(button) {
        if (!first() || (button.getAttribute("type") ?? "submit") !== "submit") return;
        buttons.push({ name: button.getAttribute("name") ?? "", value: unescaped(button.getAttribute("value") ?? "") });
      },
    });
  await rewriter.transform(new Response(page)).text();
  const isDenial = ({ value }: { value: string }): boolean => /deny|cancel/i.test(value);
  const chosen = buttons.find((button) => isDenial(button) === (person.denies === true));
  if (!chosen) return undefined;
  if (chosen.name !== "") fields.append(chosen.name, chosen.value);
  return { action, fields };
}

function unescaped(text: string): string {
  const names: Readonly<Record<string, string>> = { amp: "&", quot: '"', lt: "<", gt: ">", "#39": "'", "#34": '"' };
  return text.replace(/&(amp|quot|lt|gt|#39|#34);/g, (_, name: string) => names[name] ?? "");
}

function textOf(page: string): string {
  const body = page.replace(/<(style|script|head)\b[\s\S]*?<\/\1>/g, " ").replace(/<[^>]*>/g, " ");
  return body.replace(/\s+/g, " ").trim().slice(0, 500);
}

function toHeader(cookies: ReadonlyMap<string, string>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}

function keep(cookies: Map<string, string>, set: readonly string[]): void {
  for (const cookie of set) {
    const [pair = ""] = cookie.split(";");
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1)];
    if (value === "" || /;\s*max-age=0\b/i.test(cookie)) cookies.delete(name);
    else cookies.set(name, value);
  }
}
