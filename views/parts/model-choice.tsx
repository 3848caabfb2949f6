/** @jsxImportSource @kitajs/html */

/** A choice among the models that a plugin's workers serve now, with a likely one selected. */
export function ModelChoice({ plugin, id }: { readonly plugin: string; readonly id: string }): string {
  const models = `$store.pool.plugins.${plugin} ? $store.pool.plugins.${plugin}.models : []`;
  return (
    <label for={id}>
      Model
      <select id={id} x-model="model" x-effect={`model = model || suggested(${models})`}>
        <template x-for={`each in ${models}`} x-bind:key="each.name">
          <option x-bind:value="each.name" x-text="each.name" x-bind:selected="each.name === model"></option>
        </template>
      </select>
    </label>
  ) as string;
}
