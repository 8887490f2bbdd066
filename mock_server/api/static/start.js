// Shows the document of the server that this page came from, under the path that it came by.
"use strict";
SwaggerUIBundle({
  url: new URL("openapi.json", window.location.href).href,
  domNode: document.getElementById("api"),
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
});
