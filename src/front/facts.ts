/** What `/` says, to people and to programs. Anybody may read it, so it contains no secret, no count and no name of a model. */
export interface FrontFacts {
  readonly name: "moorage";
  readonly version: string;
  /** The base URL for OpenAI clients. */
  readonly base_url: string;
  readonly links: Readonly<Record<string, string>>;
}

export interface FrontOptions {
  /** The origin at which the caller reaches this server. */
  readonly origin: string;
  readonly version: string;
}

/** Makes what `/` says. */
export function frontFacts({ origin, version }: FrontOptions): FrontFacts {
  return {
    name: "moorage",
    version,
    base_url: `${origin}/v1`,
    links: {
      models: `${origin}/v1/models`,
      dashboard: `${origin}/state`,
      join: `${origin}/join`,
      api_description: `${origin}/api/client/`,
      openapi: `${origin}/api/client/openapi.json`,
      health: `${origin}/healthz`,
    },
  };
}

/** Returns a command line that lists the models. */
export function modelsLine(origin: string, hasKeys: boolean): string {
  return `curl ${origin}/v1/models${hasKeys ? ' -H "Authorization: Bearer $API_KEY"' : ""}`;
}

/**
 * What crawlers may read: the front page, which tells them not to list it. A page that they must not read would be listed
 * where another site links to it.
 */
export const ROBOTS = "User-agent: *\nAllow: /$\nDisallow: /\n";
