import { assertOk, messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { settledModel } from "./model-choice.ts";
import { embeddingModels, type ModelRow } from "./model-kinds.ts";
import { askedModel, listOf, type PanelTools } from "./playground.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";
import { cosine } from "./vectors.ts";

interface Embeddings {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
}

/** Two texts and their similarity by a model. */
export function createEmbed({ pool, route }: PanelTools) {
  return () => ({
    model: "",
    first: "a ship in the harbour",
    second: "a boat at its mooring",
    similarity: null as number | null,
    dimensions: 0,
    isRunning: false,
    problem: "",
    choices(): readonly ModelRow[] {
      return embeddingModels(listOf<ModelRow>(pool(), "llm", "models"));
    },
    settle(): void {
      this.model = settledModel(this.choices(), { chosen: this.model, asked: askedModel(route(), "embeddings") });
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
    similarityText(): string {
      return this.similarity === null ? "–" : this.similarity.toFixed(2);
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
  });
}
