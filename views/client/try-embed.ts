import { assertOk, messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";
import { cosine } from "./vectors.ts";

interface Embeddings {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
}

/** Two texts and their similarity by a model. */
export function createEmbed() {
  return {
    model: "",
    first: "a ship in the harbour",
    second: "a boat at its mooring",
    similarity: null as number | null,
    dimensions: 0,
    isRunning: false,
    problem: "",
    /** Picks a model that looks like an embedding model by its name. */
    suggested(models: readonly { readonly name: string }[]): string {
      const likely = models.find(({ name }) => /embed|bge|gte|minilm|\be5/i.test(name));
      return (likely ?? models[0])?.name ?? "";
    },
    request() {
      return { model: this.model, input: [this.first, this.second] };
    },
    curl(): string {
      return curlLine({
        url: `${location.origin}/v1/embeddings`,
        method: "POST",
        bearerVariable: keyVariable(),
        json: this.request(),
      });
    },
    percent(): string {
      return this.similarity === null ? "–" : `${Math.round(this.similarity * 100)} %`;
    },
    async embed(): Promise<void> {
      Object.assign(this, { isRunning: true, problem: "", similarity: null });
      try {
        const headers = { ...(await apiHeaders()), "content-type": "application/json" };
        const body = JSON.stringify({ ...this.request(), encoding_format: "float" });
        const response = await assertOk(await fetch("/v1/embeddings", { method: "POST", headers, body }));
        const { data } = (await response.json()) as Embeddings; // what the API promises
        const [a = [], b = []] = data.map(({ embedding }) => embedding);
        this.dimensions = a.length;
        this.similarity = cosine(a, b);
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        this.isRunning = false;
      }
    },
  };
}
