import type { AlpineApi } from "./alpine.js";
import { assertOk, messageOf } from "./answers.ts";
import type { PoolStore } from "./pool-store.ts";

/** A module of a section that is loaded when the section is first opened. */
interface LaterModule {
  /** Registers the components that the section's markup names. */
  register(alpine: AlpineApi, pool: () => PoolStore): void;
}

const MODULES: Readonly<Record<string, () => Promise<LaterModule>>> = {
  workers: () => import("./workers-page.ts"),
  models: () => import("./models-page.ts"),
  jobs: () => import("./jobs-page.ts"),
  playground: () => import("./playground-page.ts"),
  keys: () => import("./keys-page.ts"),
  usage: () => import("./usage-page.ts"),
  add: () => import("./connect-page.ts"),
  use: () => import("./connect-page.ts"),
};

/** Loads the module of a section. Those of plugins share one. */
function load(id: string): Promise<LaterModule> {
  return MODULES[id]?.() ?? import("./plugin-page.ts");
}

/**
 * Adds the directive `x-later="keys"`, which fills its element with the markup of that section and loads its module, once
 * the section is opened. Most visits to the dashboard look at the overview alone.
 */
export function registerLater(alpine: AlpineApi, pool: () => PoolStore): void {
  let common: Promise<void> | undefined;
  /** Loads what all of these sections have in common, once. */
  const loadCommon = async (): Promise<void> => {
    const { register } = await import("./section-parts.ts");
    register(alpine, pool);
  };
  alpine.directive("later", (element, { expression: id }, { effect, evaluate }) => {
    let isAsked = false;
    const fill = async (): Promise<void> => {
      try {
        const answer = fetch(`/api/state/view/${id}.html`).then(assertOk);
        common ??= loadCommon();
        const markupComing = answer.then((response) => response.text());
        const [{ register }, markup] = await Promise.all([load(id), markupComing, common]);
        register(alpine, pool);
        // The server has escaped it, as the rest of the page.
        element.innerHTML = markup;
      } catch (error) {
        // The next time that the section is opened asks again.
        isAsked = false;
        common = undefined;
        element.textContent = messageOf(error);
      }
    };
    effect(() => {
      if (evaluate(`isOpen('${id}')`) !== true || isAsked) return;
      isAsked = true;
      void fill();
    });
  });
}
