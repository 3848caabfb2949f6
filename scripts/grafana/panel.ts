/** One panel of the dashboard. */
export interface Panel {
  readonly title: string;
  /** What the panel shows, and how to read it. */
  readonly about: string;
  /** One of Grafana's units: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
  readonly unit: string;
  /** An empty legend leaves the naming to Grafana. */
  readonly queries: readonly (readonly [legend: string, expr: string])[];
  /** One number instead of a graph. */
  readonly isStat?: boolean;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The filter for series that each server has once. */
export const SERVER = 'instance=~"$instance"';
/** The filter for series per plugin, by the choice at the top of the dashboard. */
export const CHOSEN = `${SERVER},plugin=~"$plugin"`;

/** The filter for the models of one plugin. */
export const modelsOf = (plugin: string): string => `${SERVER},plugin="${plugin}",model=~"$model"`;

/** The growth of a counter per second, over the interval that Grafana considers long enough. */
export const rate = (series: string): string => `rate(${series}[$__rate_interval])`;

/** The queries for p50, p95 and p99 of a histogram. */
export function quantiles(metric: string, filter: string): Panel["queries"] {
  return [0.5, 0.95, 0.99].map((at) => [
    `p${at * 100}`,
    `histogram_quantile(${at}, sum by (le) (${rate(`${metric}_bucket{${filter}}`)}))`,
  ]);
}
