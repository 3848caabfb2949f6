/** @jsxImportSource @kitajs/html */

/** A choice that filters a list. Its options have their values as keys; the first one is chosen unless the script says otherwise. */
export function Choice({
  id,
  label,
  model,
  onChange,
  options,
}: {
  readonly id: string;
  readonly label: string;
  readonly model: string;
  readonly onChange: string;
  readonly options: readonly (readonly [value: string, text: string])[];
}): string {
  return (
    <label class="facet">
      <span class="unseen" safe>
        {label}
      </span>
      <select id={id} x-model={model} x-on:change={onChange}>
        {options.map(([value, text]) => (
          <option value={value} safe>
            {text}
          </option>
        ))}
      </select>
    </label>
  ) as string;
}

/** A choice of a routed list, which filters it by a value of its rows. `name` is the member of the address's query. */
export function RoutedChoice({
  id,
  name,
  label,
  options,
}: {
  readonly id: string;
  readonly name: string;
  /** The text for any value, which names the choice as well: `Any status`. */
  readonly label: string;
  /** The values with their texts. Unless given, the values that the rows have. */
  readonly options?: readonly (readonly [value: string, text: string])[];
}): string {
  return (
    <label class="facet">
      <span class="unseen" safe>
        {label}
      </span>
      <select
        id={id}
        x-bind:class={`chosen('${name}') === '' ? '' : 'narrowed'`}
        x-on:change={`choose('${name}', $event.target.value)`}
      >
        <option value="" x-bind:selected={`chosen('${name}') === ''`} safe>
          {label}
        </option>
        {options === undefined ? (
          <template x-for={`value in values('${name}')`} x-bind:key="value">
            <option
              x-bind:value="value"
              x-bind:selected={`chosen('${name}') === value`}
              x-text={`labelOf('${name}', value)`}
            ></option>
          </template>
        ) : (
          options.map(([value, text]) => (
            <option value={value} x-bind:selected={`chosen('${name}') === '${value}'`} safe>
              {text}
            </option>
          ))
        )}
      </select>
    </label>
  ) as string;
}

/** How many rows there are and match, with their noun: `61 workers`, `12 of 61 workers`. */
export function CountText({ one, many }: { readonly one: string; readonly many: string }): string {
  return (
    <span class="soft" role="status" x-text={`$format.countOf(matching(), total(), '${one}', '${many}')`}></span>
  ) as string;
}
