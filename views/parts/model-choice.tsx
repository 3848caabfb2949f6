/** @jsxImportSource @kitajs/html */

/** A choice among the models that fit a panel, which its component lists in `choices()` and follows with `settle()`. */
export function ModelChoice({ id }: { readonly id: string }): string {
  return (
    <label for={id}>
      Model
      <select id={id} x-model="model" x-effect="settle()">
        <template x-for="each in choices()" x-bind:key="each.name">
          <option x-bind:value="each.name" x-text="each.name" x-bind:selected="each.name === model"></option>
        </template>
      </select>
    </label>
  ) as string;
}
