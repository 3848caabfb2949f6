/** @jsxImportSource @kitajs/html */
import type { Section } from "../src/plugin/contract.ts";
import { AddWorker, type AddWorkerProps } from "./add-worker.tsx";
import { Jobs } from "./jobs.tsx";
import { Keys, type KeysProps } from "./keys.tsx";
import { Models } from "./models.tsx";
import { Overview, type OverviewProps } from "./overview.tsx";
import { Playground, type PluginShare } from "./playground.tsx";
import { Usage } from "./usage.tsx";
import { UseIt } from "./use-it.tsx";
import { type WorkerKind, Workers } from "./workers.tsx";

/** A section of the dashboard and its content. */
export interface StateSection {
  readonly id: string;
  readonly label: string;
  /** Markup of the section's owner, which has escaped it. */
  readonly html: string;
}

/** A section of the dashboard whose content is loaded when it is first opened. */
export interface LaterSection {
  readonly id: string;
  readonly label: string;
  /** Whether it is in the navigation; the header's buttons lead to the others. */
  readonly isInNavigation: boolean;
  /** Whether viewers do not see it. The server refuses what is in it as well. */
  readonly isForAdmins?: boolean;
  /** Returns its markup, escaped. */
  readonly render: () => string;
}

/** A plugin as the pages see it that cross plugins. */
export interface SectionPlugin {
  readonly id: string;
  readonly section?: Section | undefined;
}

/** What the pages for new workers and programs know of the server. Doors may shut while it runs. */
export type ConnectingFacts = Omit<AddWorkerProps, "keeping">;

/** The section that is shown at the start. */
export function firstSection(props: OverviewProps): StateSection {
  return { id: "overview", label: "Overview", html: (<Overview {...props} />) as string };
}

/** The sections after the first one, in the order of the navigation. Those for which no plugin has anything are left out. */
export function laterSections(
  plugins: readonly SectionPlugin[],
  keys: Omit<KeysProps, "version">,
  connecting: () => ConnectingFacts,
): readonly LaterSection[] {
  const kinds = plugins.flatMap(({ id, section }): readonly WorkerKind[] =>
    section?.workers ? [{ plugin: id, ...section.workers }] : [],
  );
  const withModels = kinds.filter(({ haveModels }) => haveModels);
  const tries = plugins.flatMap(({ id, section }): readonly PluginShare[] => {
    const render = section?.shares?.playground;
    return section && render ? [{ plugin: id, label: section.label, render }] : [];
  });
  const shown = { isInNavigation: true };
  const ifAny = (list: readonly unknown[], section: LaterSection): readonly LaterSection[] =>
    list.length === 0 ? [] : [section];
  return [
    ...ifAny(kinds, { ...shown, id: "workers", label: "Workers", render: () => (<Workers kinds={kinds} />) as string }),
    ...ifAny(withModels, {
      ...shown,
      id: "models",
      label: "Models",
      render: () => (<Models kinds={withModels} />) as string,
    }),
    ...ifAny(withModels, { ...shown, id: "jobs", label: "Jobs", render: () => (<Jobs />) as string }),
    ...plugins.flatMap(ownSection),
    {
      ...shown,
      id: "keys",
      label: "Keys",
      render: () => (<Keys {...keys} version={connecting().version} />) as string,
    },
    { ...shown, id: "usage", label: "Usage", render: () => (<Usage />) as string },
    ...ifAny(tries, {
      ...shown,
      id: "playground",
      label: "Playground",
      isForAdmins: true,
      render: () => (<Playground shares={tries} />) as string,
    }),
    {
      id: "add",
      label: "Add a worker",
      isInNavigation: false,
      render: () => (<AddWorker {...connecting()} keeping={keys.keeping} />) as string,
    },
    {
      id: "use",
      label: "Use it",
      isInNavigation: false,
      render: () => (<UseIt {...connecting()} keeping={keys.keeping} />) as string,
    },
  ];
}

/** Returns the page that a plugin has for itself, if it has one. */
function ownSection({ id, section }: SectionPlugin): readonly LaterSection[] {
  if (!section || (section.page === undefined && section.workers?.haveModels === true)) return [];
  const { page = { id, label: section.label } } = section;
  return [{ ...page, isInNavigation: true, render: section.render }];
}

/** Leads from the sections that plugins had in earlier versions to their successors: pairs such as `llm` and `workers?plugin=llm`. */
export function oldSections(plugins: readonly SectionPlugin[]): readonly (readonly [id: string, successor: string])[] {
  return plugins.flatMap(({ id, section }) => {
    if (!section) return [];
    const [own] = ownSection({ id, section });
    if (own?.id === id) return [];
    return [[id, own ? own.id : `workers?plugin=${id}`] as const];
  });
}
