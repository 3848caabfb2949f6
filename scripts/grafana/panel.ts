/** What a panel of the dashboard is made of. */
export interface Panel {
  readonly title: string;
  /** What is seen, and what to make of it. */
  readonly about: string;
  /** Of Grafana's: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
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

/** The filter of what a server has but once. */
export const SERVER = 'instance=~"$instance"';
/** The filter of what each plugin has, as chosen at the dashboard's top. */
export const CHOSEN = `${SERVER},plugin=~"$plugin"`;

/** The filter of one plugin's models. */
export const modelsOf = (plugin: string): string => `${SERVER},plugin="${plugin}",model=~"$model"`;

/** Growth a second, over the scrapes that Grafana thinks enough. */
export const rate = (series: string): string => `rate(${series}[$__rate_interval])`;

/** Half, 19 of 20, and 99 of 100 are below. */
export function quantiles(metric: string, filter: string): Panel["queries"] {
  return [0.5, 0.95, 0.99].map((at) => [
    `p${at * 100}`,
    `histogram_quantile(${at}, sum by (le) (${rate(`${metric}_bucket{${filter}}`)}))`,
  ]);
}
