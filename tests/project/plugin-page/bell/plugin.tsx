/** @jsxImportSource @kitajs/html */
import * as v from "valibot";
import { Fault } from "../../../../src/errors.ts";
import { API_KEY_SECURITY, errorResponses, jsonAnswer } from "../../../../src/openapi/schema.ts";
import { definePlugin } from "../../../../src/plugin/definition.ts";
import { createRoutes } from "../../../../src/plugin/route-context.ts";
import { integer } from "../../../../src/settings/kinds.ts";
import { setting } from "../../../../src/settings/setting.ts";
import { Figure, PluginSection } from "../../../../views/parts/parts.tsx";

const settings = {
  bellMaxStrokes: setting(integer(1, 100), {
    variable: "BELL_MAX_STROKES",
    default: "8",
    help: "Strokes of the bell that one request may ask for.",
  }),
};

const TAG = { name: "Bell", description: "A ship's bell that clients ring." };
const answer = v.pipe(v.object({ sound: v.string() }), v.description("The sound of the bell."));

/** A ship's bell that clients ring. */
export const bellPlugin = definePlugin({
  id: "bell",
  settings,
  create({ auth, config }) {
    let strokes = 0;
    const routes = createRoutes().post(
      "/api/bell/ring/:strokes",
      ({ visit, params }) => {
        auth.ask(visit, "api");
        const asked = Number(params.strokes);
        if (!Number.isInteger(asked) || asked < 1 || asked > config.bellMaxStrokes) {
          throw new Fault("invalid_request", { message: `Ask for 1 to ${config.bellMaxStrokes} strokes.` });
        }
        strokes += asked;
        return Response.json({ sound: "ding ".repeat(asked).trim() });
      },
      {
        parse: "none",
        detail: {
          tags: [TAG.name],
          summary: "Ring the bell",
          security: API_KEY_SECURITY,
          responses: { 200: jsonAnswer(answer), ...errorResponses("invalid_request", "invalid_api_key") },
        },
      },
    );
    return {
      routes,
      tags: [TAG],
      section: { label: "Bell", render: renderBell },
      reports: {
        state: () => ({ strokes_total: strokes }),
        get revision() {
          return strokes;
        },
      },
    };
  },
});

function renderBell(): string {
  const state = "$store.pool.plugins.bell";
  const summary = (
    <div class="figures-line">
      <Figure label="strokes" one="stroke" text={`${state} ? ${state}.strokes_total : '–'`} />
    </div>
  ) as string; // no component here is asynchronous, so the element is text
  return (<PluginSection id="bell" title="Ship's bell" summary={summary} parts={[]} />) as string;
}
