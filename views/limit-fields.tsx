/** @jsxImportSource @kitajs/html */
import { Field, Selection } from "./form-parts.tsx";

const AMOUNTS = [
  ["parallel", "Jobs at once"],
  ["requests_per_minute", "Requests per minute"],
  ["tokens_per_minute", "Tokens per minute"],
  ["tokens_per_day", "Tokens per day"],
  ["tokens_per_week", "Tokens per week"],
  ["tokens_per_month", "Tokens per month"],
  ["audio_seconds_per_day", "Audio seconds per day"],
  ["audio_seconds_per_week", "Audio seconds per week"],
  ["audio_seconds_per_month", "Audio seconds per month"],
] as const;

/** The fields for the limits of a key or a tenant. `id` begins the ids in it, and `shownIf` is an expression. */
export function LimitFields({ id, shownIf }: { readonly id: string; readonly shownIf?: string }): string {
  const zones = `${id}-zones`;
  return (
    <fieldset {...(shownIf === undefined ? {} : { "x-show": shownIf })}>
      <legend>Limits</legend>
      <p class="soft">An empty field sets no limit. Amounts such as 20k and 2M work.</p>
      <div class="fields three">
        {AMOUNTS.map(([name, label]) => (
          <Field name={name} label={label} isAlways />
        ))}
        <Field name="timezone" label="Time zone of budgets" placeholder="UTC" list={zones} isAlways />
        <Field name="max_waiting" label="Jobs that may wait" isAlways />
        <Selection
          name="on_limit"
          label="Requests at a limit"
          isAlways
          options={[
            ["", "wait"],
            ["refuse", "are refused"],
          ]}
        />
      </div>
      <datalist id={zones}>
        <option value="UTC"></option>
        <option x-bind:value="zone()"></option>
      </datalist>
    </fieldset>
  ) as string;
}
