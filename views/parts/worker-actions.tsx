/** @jsxImportSource @kitajs/html */

/** The buttons for an operator's actions on a worker. Each asks for confirmation first. */
export function WorkerActions({ plugin }: { readonly plugin: string }): string {
  return (
    <span class="actions">
      <button
        type="button"
        class="small"
        x-show="!row.operator_drained"
        x-on:click={`$store.operator.ask('drain', row.id, row.name, '${plugin}')`}
        x-bind:aria-label="'Drain ' + row.name"
      >
        Drain
      </button>
      <button
        type="button"
        class="small"
        x-show="row.operator_drained"
        x-on:click={`$store.operator.ask('undrain', row.id, row.name, '${plugin}')`}
        x-bind:aria-label="'Undrain ' + row.name"
      >
        Undrain
      </button>
      <button
        type="button"
        class="small"
        x-on:click={`$store.operator.ask('disconnect', row.id, row.name, '${plugin}')`}
        x-bind:aria-label="'Disconnect ' + row.name"
      >
        Disconnect
      </button>
      <button
        type="button"
        class="small"
        x-on:click={`$store.operator.ask('block', row.id, row.name, '${plugin}')`}
        x-bind:aria-label="'Block ' + row.name"
      >
        Block
      </button>
    </span>
  ) as string;
}
