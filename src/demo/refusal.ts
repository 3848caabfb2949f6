/** A refusal in OpenAI's form. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;

  constructor(status: number, code: string, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }

  /** The answer's JSON. */
  body(): object {
    const { message, param, code } = this;
    return { error: { message, type: "invalid_request_error", param, code } };
  }
}

export function unknownModel(asked: string, model: string): Refusal {
  const message = `The sample has no model '${asked.slice(0, 100)}' here; it has '${model}'.`;
  return new Refusal(404, "model_not_found", message, "model");
}
