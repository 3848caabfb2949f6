import { type Glob, isMatch } from "../../../system/globs.ts";
import { setNewest } from "../../../system/newest.ts";
import type { Member } from "./member.ts";
import { globOfTemplate, markedUri, readMarkedUri } from "./uris.ts";

/** The most URIs and templates that are remembered, of all servers together, and the longest one. */
const MAX_URIS = 20_000;
const MAX_TEMPLATES = 2000;
const MAX_URI_CHARS = 4096;

interface Template {
  readonly member: Member;
  readonly glob: Glob;
}

/** A resource of one server, by that server's own name for it. */
export interface Owned {
  readonly member: Member;
  readonly uri: string;
}

/** Which server has which resource, as far as lists and answers have shown. */
export class ResourceOwners {
  readonly #byPrefix: ReadonlyMap<string, Member>;
  readonly #uris = new Map<string, Member>();
  readonly #templates = new Map<string, Template>();

  constructor(byPrefix: ReadonlyMap<string, Member>) {
    this.#byPrefix = byPrefix;
  }

  /** Notes a resource that a server lists, and returns the URI for clients: marked, if it is that of another server already. */
  claim(member: Member, uri: string): string {
    const owner = this.#uris.get(uri);
    if (owner === undefined && uri.length <= MAX_URI_CHARS) setNewest(this.#uris, uri, member, MAX_URIS);
    return owner === undefined || owner === member ? uri : markedUri(member.prefix, uri);
  }

  /** Does the same for a template of URIs. */
  claimTemplate(member: Member, template: string): string {
    const owner = this.#templates.get(template)?.member;
    if (owner === undefined && template.length <= MAX_URI_CHARS) {
      setNewest(this.#templates, template, { member, glob: globOfTemplate(template) }, MAX_TEMPLATES);
    }
    return owner === undefined || owner === member ? template : markedUri(member.prefix, template);
  }

  /** Returns the URI for clients of a resource that a server speaks of, without noting it. */
  expose(member: Member, uri: string): string {
    const owner = this.#uris.get(uri);
    return owner === undefined || owner === member ? uri : markedUri(member.prefix, uri);
  }

  /** Finds the resource that clients mean. Undefined if no server has shown that it has it. */
  find(uri: string): Owned | undefined {
    const marked = this.#marked(uri, (own) => this.#uris.get(own));
    if (marked) return marked;
    const owner = this.#uris.get(uri);
    if (owner) return { member: owner, uri };
    for (const { member, glob } of this.#templates.values()) if (isMatch(glob, uri)) return { member, uri };
    return undefined;
  }

  /** Finds the template that clients mean. */
  findTemplate(template: string): Owned | undefined {
    const owner = this.#templates.get(template);
    if (owner) return { member: owner.member, uri: template };
    return this.#marked(template, (own) => this.#templates.get(own)?.member) ?? this.find(template);
  }

  /** A mark counts only where another server has the same URI: no resource has a second name that could evade rules. */
  #marked(uri: string, ownerOf: (uri: string) => Member | undefined): Owned | undefined {
    const marked = readMarkedUri(uri);
    const member = marked && this.#byPrefix.get(marked.prefix);
    if (!marked || !member) return undefined;
    const owner = ownerOf(marked.uri);
    return owner === undefined || owner === member ? undefined : { member, uri: marked.uri };
  }
}
