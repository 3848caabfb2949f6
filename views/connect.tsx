/** @jsxImportSource @kitajs/html */
import type { ConsentFacts } from "../src/oauth/consent.ts";
import { Layout, type PageAssets } from "./layout.tsx";

export interface ConnectProps {
  readonly assets: PageAssets;
  readonly facts: ConsentFacts;
  /** The issuer to sign in by; undefined where only keys let a client in. */
  readonly issuer: string | undefined;
}

/** The page on which people let a program use an MCP server. It works without scripts. */
export function ConnectPage({ assets, facts, issuer }: ConnectProps): string {
  const { handle, client, relay, problem } = facts;
  return (
    <Layout title="Let a program in · Moorage" assets={assets}>
      <main class="sign-in card connect">
        <h1>Moorage</h1>
        {problem === undefined ? (
          ""
        ) : (
          <p class="problem" role="alert" safe>
            {problem}
          </p>
        )}
        <p>
          <strong safe>{client.name}</strong> asks to use the MCP server <strong safe>{relay.id}</strong>
          <span safe>{relay.name === "" || relay.name === relay.id ? "" : ` (${relay.name})`}</span>.
        </p>
        <Origin client={client} />
        <p>
          It will be able to call the tools and read the prompts and resources that you may use, until you take this
          back.
        </p>
        <form method="post" action="/authorize">
          <input type="hidden" name="handle" value={handle} />
          <label for="key">Your Moorage key</label>
          <input id="key" name="key" type="password" autocomplete="current-password" autofocus={issuer === undefined} />
          <button type="submit" name="decision" value="allow" class={issuer === undefined ? "main" : undefined}>
            Allow
          </button>
          {issuer === undefined ? (
            ""
          ) : (
            <button type="submit" name="decision" value="issuer" class="main" safe>
              {`Allow and sign in with ${issuer}`}
            </button>
          )}
          <button type="submit" name="decision" value="deny">
            Cancel
          </button>
        </form>
      </main>
    </Layout>
  ) as string;
}

function Origin({ client }: Pick<ConsentFacts, "client">): string {
  const { domain, host, isLocal } = client;
  return (
    <>
      <p>
        {domain === undefined ? (
          "It has named itself, and nobody has checked the name. "
        ) : (
          <>
            It is published by <strong safe>{domain}</strong>.{" "}
          </>
        )}
        Access is sent to <strong safe>{host}</strong>.
      </p>
      {isLocal ? (
        <p>
          <strong>That is a program on your own computer.</strong> Continue only if you have just started to connect
          from it.
        </p>
      ) : (
        ""
      )}
    </>
  ) as string;
}

export interface ConnectRefusedProps {
  readonly assets: PageAssets;
  /** What is wrong, and what to do. */
  readonly text: string;
  /** The way back to the program, which is then told. */
  readonly back: { readonly to: string; readonly host: string } | undefined;
}

/** The page for a request that nobody can allow. */
export function ConnectRefusedPage({ assets, text, back }: ConnectRefusedProps): string {
  return (
    <Layout title="Not possible · Moorage" assets={assets}>
      <main class="sign-in card connect">
        <h1>Moorage</h1>
        <p class="problem" role="alert" safe>
          {text}
        </p>
        {back === undefined ? (
          ""
        ) : (
          <p>
            The program that sent you here made a request that this server does not accept. Only its developers can fix
            that. You can{" "}
            <a href={back.to} rel="noreferrer" safe>
              {`go back to ${back.host}`}
            </a>
            , which is then told.
          </p>
        )}
      </main>
    </Layout>
  ) as string;
}
