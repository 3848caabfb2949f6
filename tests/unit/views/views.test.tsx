/** @jsxImportSource @kitajs/html */
import { expect, test } from "bun:test";
import { ASR_SECTION } from "../../../src/plugins/asr/view.tsx";
import { LLM_SECTION } from "../../../src/plugins/llm/view.tsx";
import { MCP_SECTION } from "../../../src/plugins/mcp/view.tsx";
import { TRANSFER_SECTION } from "../../../src/plugins/transfer/view.tsx";
import type { Problem } from "../../../src/state/problems.ts";
import { Keys } from "../../../views/keys.tsx";
import { Layout, type PageAssets } from "../../../views/layout.tsx";
import { SignInPage } from "../../../views/signin.tsx";
import { StatePage } from "../../../views/state.tsx";
import { Usage } from "../../../views/usage.tsx";

const renderUsage = (): string => (<Usage />) as string;
const renderKeys = (): string => (<Keys keeping="made" hasGrants version="1.2.3" />) as string;

const EVIL = `"><script>alert(1)</script>`;
const ASSETS: PageAssets = { theme: "/theme.ts", script: "/app.ts", preloads: ["/a.ts"], styles: ["/app.css"] };

const PROBLEMS: readonly Problem[] = [
  { code: "x", severity: "warning", plugin: "llm", about: {}, title: `'${EVIL}' fails`, advice: "do this", since: "" },
];

test("a version or a worker's name that is a script appears as text on the state page", () => {
  const html = StatePage({
    version: EVIL,
    canSignOut: true,
    mayAct: true,
    hasKeys: true,
    assets: ASSETS,
    boot: "{}",
    problems: PROBLEMS,
    sections: [],
  });
  expect(html).not.toContain("<script>");
  expect(html.match(/&lt;script&gt;alert\(1\)/g)).toHaveLength(2);
});

test("the state page has a tab for each section, and the content of the first one alone", () => {
  const html = StatePage({
    version: "1.2.3",
    canSignOut: false,
    mayAct: true,
    hasKeys: false,
    assets: ASSETS,
    boot: '{"version":"1.2.3"}',
    problems: [],
    sections: [
      { id: "workers", label: "Workers", isInNavigation: true },
      { id: "keys", label: "Keys", isInNavigation: true },
      { id: "add", label: "Add a worker", isInNavigation: false },
    ],
    oldSections: [["llm", "workers?plugin=llm"]],
  });
  expect(html).toStartWith("<!doctype html><html");
  expect(html.match(/<a href="#(overview|workers|keys|add)"/g)).toHaveLength(3);
  expect(html).toContain('id="verdict"');
  expect(html.match(/x-later="(workers|keys|add)"/g)).toHaveLength(3);
  expect(html).toContain('data-sections="overview workers keys add"');
  expect(html).toContain('data-old="llm=workers?plugin=llm"');
  expect(html).toContain('<script type="application/json" id="boot">{"version":"1.2.3"}</script>');
  expect(html).toContain('data-keys="none"');
  expect(html).not.toContain("/state/sign-out");
});

test("the sign-in page posts the key to this server and says what was wrong", () => {
  const html = SignInPage({ assets: ASSETS, problem: EVIL, keyKind: "API", issuer: undefined, to: "/state" });
  expect(html).toContain('<form method="post" action="/state/sign-in">');
  expect(html).toContain('type="password"');
  expect(html).toContain("&lt;script&gt;");
  expect(html).not.toContain("/app.ts");
  expect(
    SignInPage({ assets: ASSETS, problem: undefined, keyKind: "API", issuer: undefined, to: "/state" }),
  ).not.toContain('role="alert"');
});

test("the sign-in page asks for the kind of key that opens the dashboard", () => {
  expect(SignInPage({ assets: ASSETS, problem: undefined, keyKind: "API", issuer: undefined, to: "/state" })).toContain(
    ">API key</label>",
  );
  expect(
    SignInPage({ assets: ASSETS, problem: undefined, keyKind: "admin", issuer: undefined, to: "/state" }),
  ).toContain(">Admin key</label>");
});

test("the sign-in page has no form if no key would open the dashboard", () => {
  expect(
    SignInPage({ assets: ASSETS, problem: undefined, keyKind: undefined, issuer: undefined, to: "/state" }),
  ).not.toContain("<form");
});

test("a page's title is text, and the page needs no inline script, style or handler", () => {
  const html = (
    <Layout title={EVIL} assets={ASSETS} isLive>
      <p>x</p>
    </Layout>
  ) as string;
  expect(html).toContain("<title>&quot;&gt;&lt;script&gt;");
  expect(html).toContain('<link rel="modulepreload" href="/a.ts"/>');
  expect(html).not.toMatch(/<script>|<style|style=|\son[a-z]+=/);
});

test.each([
  ["models", LLM_SECTION.render],
  ["relays", MCP_SECTION.render],
  ["transfers", TRANSFER_SECTION.render],
  ["keys", renderKeys],
  ["usage", renderUsage],
])("the section on %s has only markup and bindings, as the content security policy requires", (_what, render) => {
  const html = render();
  expect(html).toContain("x-text=");
  expect(html).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=|x-html/);
});

test.each([
  ["models", LLM_SECTION.render],
  ["audio", ASR_SECTION.render],
  ["relays", MCP_SECTION.render],
  ["transfers", TRANSFER_SECTION.render],
  ["keys", renderKeys],
])("each table in the section on %s has a cell for every heading", (_what, render) => {
  const tables = [...render().matchAll(/<table.*?<\/table>/gs)].map(([table]) => table);
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables) expect(table.match(/<td/g)?.length).toBe(table.match(/<th[ >]/g)?.length);
});
