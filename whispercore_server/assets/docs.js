// Shows the document of all APIs, or of the one that ?api= names. Addresses are relative to the page.
"use strict";

const api = new URLSearchParams(location.search).get("api");

// Swagger UI fills the fields of a form that may be left out with "string": here they are empty, and not sent.
function withEmptyFields(spec) {
  for (const path of Object.values(spec.paths ?? {})) {
    for (const { requestBody } of Object.values(path)) {
      const reference = requestBody?.content?.["multipart/form-data"]?.schema?.$ref;
      const form = reference && spec.components.schemas[reference.split("/").pop()];
      for (const [name, field] of Object.entries(form?.properties ?? {})) {
        const free = field.type === "string" && !field.enum && !field.format && field.default === undefined;
        if (free && !form.required?.includes(name)) field.example = "";
      }
    }
  }
  return spec;
}

function withoutEmptyFields(request) {
  if (request.body instanceof FormData) {
    for (const [name, value] of [...request.body]) {
      if (value === "") request.body.delete(name);
    }
  }
  return request;
}

const emptyFields = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(withEmptyFields(spec)) } },
  },
});

SwaggerUIBundle({
  url: api === null ? "openapi.json" : `openapi/${encodeURIComponent(api)}.json`,
  dom_id: "#page",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  plugins: [emptyFields],
  requestInterceptor: withoutEmptyFields,
  validatorUrl: null, // nothing is asked of anybody else
});
