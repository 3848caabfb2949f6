/** @jsxImportSource @kitajs/html */

// The parts of the forms on the page of keys. Their fields are members of `form` in the component around them.

interface FieldProps {
  /** The field of the form. */
  readonly name: string;
  readonly label: string;
  readonly placeholder?: string;
  readonly hint?: string;
  /** The id of the list of suggestions. */
  readonly list?: string;
  readonly isRequired?: boolean;
  /** Whether it is shown for all that the form is for, and not only if the expression `has('<name>')` says so. */
  readonly isAlways?: boolean;
}

/** A field of text. A required one is always shown. */
export function Field({ name, label, placeholder, hint, list, isRequired = false, isAlways }: FieldProps): string {
  return (
    <label {...(isAlways || isRequired ? {} : { "x-show": `has('${name}')` })}>
      <span safe>{label}</span>
      <input
        name={name}
        x-model={`form.${name}`}
        placeholder={placeholder}
        list={list}
        required={isRequired}
        maxlength={isRequired ? "128" : undefined}
        autocomplete="off"
      />
      {hint === undefined ? (
        ""
      ) : (
        <span class="sub" safe>
          {hint}
        </span>
      )}
    </label>
  ) as string;
}

interface SelectionProps {
  readonly name: string;
  readonly label: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  /** As for a field. */
  readonly isAlways?: boolean;
}

/** A choice among a few values. */
export function Selection({ name, label, options, isAlways }: SelectionProps): string {
  return (
    <label {...(isAlways ? {} : { "x-show": `has('${name}')` })}>
      <span safe>{label}</span>
      <select name={name} x-model={`form.${name}`}>
        {options.map(([value, text]) => (
          <option value={value} safe>
            {text}
          </option>
        ))}
      </select>
    </label>
  ) as string;
}

/** The line in which a form says what the server has refused. */
export function FormProblem(): string {
  return (<p class="problem" role="alert" x-show="formProblem !== ''" x-text="formProblem"></p>) as string;
}

/** Closes a dialog without sending its form. */
export function CancelButton({ dialog }: { readonly dialog: string }): string {
  return (
    <button type="button" x-on:click={`close('${dialog}')`}>
      Cancel
    </button>
  ) as string;
}
