// Shows /openapi.json; scripts in the page itself are forbidden by the policy of the server.
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, tryItOutEnabled: true });
});
