import { createHash, randomBytes } from "node:crypto";

/** What a client sends people to `/authorize` with, and the secret by which it proves later that it did (RFC 7636). */
export interface AuthorizationRequest {
  /** Parameters of the query. Tests change and remove them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly verifier: string;
}

/** Makes a request for a code that is bound to `resource`. */
export function authorizationRequest(clientId: string, redirectUri: string, resource: string): AuthorizationRequest {
  const verifier = randomBytes(32).toString("base64url");
  const parameters = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    resource,
    state: "the-state",
  };
  return { parameters, verifier };
}

/** A program that has registered itself, and the URL to which it sends its user. */
export interface AskingProgram {
  readonly url: string;
  readonly clientId: string;
  readonly verifier: string;
  readonly resource: string;
}

/** Registers a program at a server (RFC 7591), which asks for access to a relay. */
export async function askForAccess(
  server: string,
  { relay, redirectUri, name }: { readonly relay: string; readonly redirectUri: string; readonly name?: string },
): Promise<AskingProgram> {
  const answer = await fetch(`${server}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: name, redirect_uris: [redirectUri], token_endpoint_auth_method: "none" }),
  });
  const { client_id: clientId } = (await answer.json()) as { client_id: string }; // RFC 7591
  const resource = `${server}/api/mcp/id/${relay}/mcp`;
  const { parameters, verifier } = authorizationRequest(clientId, redirectUri, resource);
  return { url: `${server}/authorize?${new URLSearchParams(parameters)}`, clientId, verifier, resource };
}
