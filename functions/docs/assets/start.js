// Read by the bundle as it loads: validate without compiling code, which the page's policy forbids.
globalThis.__zod_globalConfig = { jitless: true };

// Both scripts are deferred, so the bundle has run by the time this fires.
document.addEventListener('DOMContentLoaded', () => {
  Scalar.createApiReference('#reference', {
    url: '/openapi.json',
    servers: [{ url: location.origin }],
    // The rest keeps the page to this origin: nothing is fetched from, sent to or offered by another host.
    withDefaultFonts: false,
    telemetry: false,
    proxyUrl: '',
    externalUrls: { dashboardUrl: '', registryUrl: '', proxyUrl: '', apiBaseUrl: '' },
    agent: { disabled: true },
    mcp: { disabled: true },
    showDeveloperTools: 'never',
    hideClientButton: true,
    documentDownloadType: 'direct',
    persistAuth: false,
  });
});
