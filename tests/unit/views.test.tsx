/** @jsxImportSource @kitajs/html */
import { expect, test } from "bun:test";
import { Layout } from "../../views/layout.tsx";
import { SignInPage } from "../../views/signin.tsx";
import { StatePage } from "../../views/state.tsx";

const EVIL = `"><script>alert(1)</script>`;

test("a name that is a script is shown as text on the state page", () => {
  const html = StatePage({
    version: EVIL,
    canSignOut: true,
    sections: [{ id: "llm", html: undefined, json: JSON.stringify({ workers: [{ name: EVIL }] }) }],
  });
  expect(html).not.toContain("<script>");
  expect(html).toContain("&lt;script&gt;alert(1)");
  // The page's own, by its path.
  expect(html.match(/<script/g)).toEqual(["<script"]);
});

test("the state page holds each plugin's fragment as it is, and its state for the stream to refresh", () => {
  const html = StatePage({
    version: "1.2.3",
    canSignOut: false,
    sections: [
      { id: "llm", html: "<p>three workers</p>", json: "{}" },
      { id: "mcp", html: undefined, json: "{}" },
    ],
  });
  expect(html).toStartWith("<!doctype html><html");
  expect(html).toContain('<div class="view"><p>three workers</p></div>');
  expect(html.match(/<pre data-plugin="[a-z]+">/g)).toEqual(['<pre data-plugin="llm">', '<pre data-plugin="mcp">']);
  expect(html.match(/class="view"/g)).toHaveLength(1);
  expect(html).not.toContain("/state/sign-out");
});

test("the sign-in page posts the key to this server and says what was wrong", () => {
  const html = SignInPage({ problem: EVIL, hasKey: true });
  expect(html).toContain('<form method="post" action="/state/sign-in">');
  expect(html).toContain('type="password"');
  expect(html).toContain("&lt;script&gt;");
  expect(html).not.toContain("<script");
  expect(SignInPage({ problem: undefined, hasKey: true })).not.toContain('role="alert"');
});

test("where no key would do the sign-in page has no form", () => {
  expect(SignInPage({ problem: undefined, hasKey: false })).not.toContain("<form");
});

test("a title is text, and a page needs no inline script or style", () => {
  const html = (
    <Layout title={EVIL} scripts={["/a.js"]}>
      <p>x</p>
    </Layout>
  ) as string;
  expect(html).toContain("<title>&quot;&gt;&lt;script&gt;");
  expect(html).not.toMatch(/<script>|<style|style=|\son[a-z]+=/);
});
