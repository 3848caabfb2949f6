/** @jsxImportSource @kitajs/html */

interface ActionButtonProps {
  readonly plugin: string;
  readonly action: "drain" | "undrain" | "disconnect" | "block";
  readonly label: string;
  /** The condition, on `row`, under which the button is shown; always unless given. */
  readonly when?: string;
}

function ActionButton({ plugin, action, label, when }: ActionButtonProps): string {
  const shown = when === undefined ? {} : { "x-show": when };
  return (
    <button
      type="button"
      class="small"
      {...shown}
      x-on:click={`$store.operator.ask('${action}', row.id, row.name, '${plugin}')`}
      x-bind:aria-label={`'${label} ' + row.name`}
      safe
    >
      {label}
    </button>
  ) as string;
}

/** The buttons for an operator's actions on a worker. Each asks for confirmation first. */
export function WorkerActions({ plugin }: { readonly plugin: string }): string {
  return (
    <span class="actions">
      <ActionButton plugin={plugin} action="drain" label="Drain" when="!row.operator_drained" />
      <ActionButton plugin={plugin} action="undrain" label="Undrain" when="row.operator_drained" />
      <ActionButton plugin={plugin} action="disconnect" label="Disconnect" />
      <ActionButton plugin={plugin} action="block" label="Block" />
    </span>
  ) as string;
}
