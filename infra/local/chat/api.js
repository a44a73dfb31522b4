// Requests with the sign-in of the user, which is kept for the tab alone.

const KEPT = "daybook-chat";

/** What a request was refused with: a problem document. */
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail ?? document.title ?? `HTTP ${status}`);
    this.status = status;
    this.document = document;
    /** After how many milliseconds it may be sent again, if it says so. */
    this.retryAfter = retryAfter ? Number(retryAfter) * 1000 : null;
  }

  /** Whether the second factor is missing or wrong. */
  get wantsCode() {
    return (this.document.errors ?? []).some((error) => error.field === "code");
  }
}

let tokens = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");

function keep(given) {
  tokens = given;
  if (given) sessionStorage.setItem(KEPT, JSON.stringify(given));
  else sessionStorage.removeItem(KEPT);
}

export const isSignedIn = () => tokens !== null;
export const signedOut = () => keep(null);

async function answered(response) {
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => ({})), response.headers.get("retry-after"));
}

function send(path, method, body, headers = {}, signal = undefined) {
  const all = { accept: "application/json", "accept-language": document.documentElement.lang, ...headers };
  if (tokens) all.authorization = `Bearer ${tokens.access_token}`;
  if (body !== undefined) all["content-type"] = "application/json";
  return fetch(path, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal });
}

let renewing = null;

/** Renews the access token; requests at the same time wait for the same renewal. */
function renew() {
  renewing ??= (async () => {
    const response = await send("/api/auth/refresh", "POST", { refresh_token: tokens?.refresh_token ?? "" });
    if (response.ok) keep(await response.json());
    else if (response.status === 401) keep(null);
    return response.ok;
  })().finally(() => (renewing = null));
  return renewing;
}

/** Sends a request, again with a renewed token if its own has expired; returns the response. */
export async function request(path, { method = "GET", body, headers, signal } = {}) {
  let response = await send(path, method, body, headers, signal);
  if (response.status === 401 && tokens && (await renew())) response = await send(path, method, body, headers, signal);
  return answered(response);
}

/** The data of a request's answer. */
export async function data(path, options) {
  return (await (await request(path, options)).json()).data;
}

/** All records of a list. */
export async function all(path) {
  const records = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await (await request(`${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)).json();
    records.push(...page.data);
    cursor = page.meta.next_cursor ?? null;
  }
  return records;
}

/** Signs in with a name and, if there is a second factor, a code. */
export const signIn = (username, password, code) =>
  begun("/api/auth/login", { username, password, ...(code ? { code } : {}) });

/** Registers with an address; names that are left empty are given by the server. */
export const register = (email, password, name, organization_name) =>
  begun("/api/auth/register", {
    email,
    password,
    ...(name ? { name } : {}),
    ...(organization_name ? { organization_name } : {}),
  });

async function begun(path, body) {
  keep(await (await answered(await send(path, "POST", body))).json());
}

export async function signOut() {
  await request("/api/auth/logout", { method: "POST", body: {} }).catch(() => {});
  keep(null);
}
