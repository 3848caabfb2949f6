// Starts Swagger UI on the API's description. A file of its own, since the page's security policy allows no inline script.
window.addEventListener("load", () => {
  window.ui = window.SwaggerUIBundle({
    url: "/api/client/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    // The validator's badge would send the address of this server to another host.
    validatorUrl: null,
    // A key typed under "Authorize" lives as long as the page.
    persistAuthorization: false,
    displayRequestDuration: true,
  });
});
