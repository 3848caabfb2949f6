/** A sign-in that has come back from the issuer and was not ended yet. */
export interface Returned {
  /** The address at this server to which the issuer sends the browser. */
  readonly callback: string;
  /** The cookie of the sign-in that was begun. */
  readonly cookie: string;
}

/** Begins a sign-in at a server and goes through its issuer, as a browser does. */
export async function comeBack(server: string, to = "/state"): Promise<Returned> {
  const begun = await fetch(`${server}/state/oidc/sign-in?to=${encodeURIComponent(to)}`, { redirect: "manual" });
  if (begun.status !== 303) throw new Error(`the sign-in did not begin: ${begun.status} ${await problemIn(begun)}`);
  const approved = await fetch(begun.headers.get("location") ?? "", { redirect: "manual" });
  return { callback: approved.headers.get("location") ?? "", cookie: cookieIn(begun, "moorage_oidc") };
}

/** Follows the address at which a sign-in ends. */
export function callBack({ callback, cookie }: Returned): Promise<Response> {
  return fetch(callback, { headers: { cookie }, redirect: "manual" });
}

/** Signs in and returns the cookie of the sign-in; empty if none was given. */
export async function signInBy(server: string): Promise<string> {
  const answer = await callBack(await comeBack(server));
  await answer.body?.cancel();
  return cookieIn(answer, "moorage_session");
}

/** Returns a cookie that an answer sets, as a request sends it; empty if there is none. */
export function cookieIn(answer: Response, name: string): string {
  const set = answer.headers.getSetCookie().find((each) => each.startsWith(`${name}=`) && !each.includes("Max-Age=0"));
  return set?.split(";")[0] ?? "";
}

/** Returns the text of the problem on a sign-in page. */
export async function problemIn(answer: Response): Promise<string> {
  return (
    /role="alert"[^>]*>([^<]*)</
      .exec(await answer.text())?.[1]
      ?.replaceAll("&#39;", "'")
      .trim() ?? ""
  );
}
