/** A metric in a scrape. */
export interface ScrapedMetric {
  readonly type: string;
  /** The labels of all its series, without a histogram's `le`. */
  readonly labels: ReadonlySet<string>;
  readonly series: number;
}

/** Parses Prometheus' text format. Returns the metrics by the names that `# TYPE` declares. */
export function parseScrape(text: string): ReadonlyMap<string, ScrapedMetric> {
  const metrics = new Map<string, { type: string; labels: Set<string>; series: number }>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm))
    metrics.set(name, { type, labels: new Set(), series: 0 });
  for (const [, name = "", labels = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const metric = metrics.get(baseName(name, metrics));
    if (!metric) throw new Error(`no TYPE declares ${name}`);
    metric.series += 1;
    for (const [, label = ""] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g))
      if (label !== "le") metric.labels.add(label);
  }
  return metrics;
}

/** Returns the name of a series' metric. The series of a histogram have suffixes. */
export function baseName(name: string, metrics: ReadonlyMap<string, { readonly type: string }>): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, "");
  return metrics.get(base)?.type === "histogram" ? base : name;
}

/** Returns the metrics that a query names, and the labels by which it selects, groups and joins. */
export function askedBy(query: string): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const bare = query.replace(/"(?:[^"\\]|\\.)*"/g, (text) => (text.includes("_") && !text.includes("$") ? text : '""'));
  const chosen = [...bare.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = ""]) => label);
  const grouped = [...bare.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(",").map((label) => label.trim()),
  );
  return {
    names: [...new Set(query.match(/\b(?:moorage|process|nodejs)_\w+/g))],
    labels: [...new Set([...chosen, ...grouped])].filter((label) => label !== "__name__"),
  };
}
