// Shows the document of all APIs, or of the one that ?api= names. Addresses are relative to the page.
"use strict";

const api = new URLSearchParams(location.search).get("api");
const fonts = "system-ui, sans-serif";

Redoc.init(
  api === null ? "openapi.json" : `openapi/${encodeURIComponent(api)}.json`,
  {
    nativeScrollbars: true,
    theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } },
  },
  document.getElementById("page"),
);
