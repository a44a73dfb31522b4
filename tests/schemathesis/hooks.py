"""Schemathesis hooks: replace generated ids, keys and addresses by existing or fresh ones, as others only get 404, 409, 412.

Three of four requests are changed; the fourth keeps its generated values, so that refusals are tested too. The tested
parameter of a request and intended errors aren't changed. Forms are posted by staff and by visitors, by scripts
and by browsers. The hooks also record which operations never succeeded.
"""

import atexit
import base64
import hmac
import itertools
import os
import re
import struct
import time

import requests
import schemathesis

BASE = os.environ["DAYBOOK_URL"]
STAFF = {"Authorization": f"Bearer {os.environ['DAYBOOK_TOKEN']}"}
SIGN_IN = {"email": os.environ["DAYBOOK_EMAIL"], "password": os.environ["DAYBOOK_PASSWORD"]}
UNREACHED = os.environ["DAYBOOK_UNREACHED"]
FORM = "form_01kdvpaw00fpgv030000000001"

READ_ONLY = ("session_epoch", "email_verified_at")

# Public routes for forms; staff, who send a token, get a longer answer.
FORMS = {"/f/{form_id}", "/api/leads", "/api/leads/{id}/demo", "/api/demos", "/api/contact"}

# Sent as another user, since they end sessions or need an account that no other request uses.
OWN_ACCOUNT = {
    "/api/auth/logout",
    "/api/auth/sessions",
    "/api/auth/sessions/{id}",
    "/api/auth/change-password",
    "/api/auth/change-email",
    "/api/auth/verify-email/resend",
    "/api/auth/mfa/setup",
    "/api/auth/mfa/confirm",
    "/api/auth/mfa/disable",
    # Budgets and keys of the requesting user's organisation would refuse later questions.
    "/api/ai/budgets",
    "/api/integrations/ai",
}

# Their tokens come with a mail an hour later; tests/api/submissions.rs calls them with such.
BY_LATER_MAIL = {"/api/submissions/held", "/api/submissions/held/decision"}

numbers = itertools.count(1)
newest = {}
tried, succeeded = set(), set()


def send(method, path, body, headers):
    answer = requests.request(method, BASE + path, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def post(path, body, headers):
    return send("POST", path, body, headers)["data"]


def address():
    return f"visitor{next(numbers)}@example.com"


PASSWORD = "staple-horse-battery"


def account():
    """The tokens of a new user with an organisation of their own."""
    return send("POST", "/api/auth/register", {"email": address(), "password": PASSWORD}, {})


def confirmed_account():
    """The tokens of a new user who has confirmed the address."""
    tokens = account()
    send("POST", "/api/auth/verify-email", {"token": mailed(tokens["user"]["email"], "verify-email")}, {})
    return tokens


def second_factor(tokens, confirmed):
    """The body for the next step of setting up an account's second factor."""
    path = "/api/auth/mfa"
    secret = send("POST", f"{path}/setup", {"current_password": PASSWORD}, bearer(tokens))["data"]["secret"]
    counter = struct.pack(">Q", int(time.time()) // 30)
    mac = hmac.digest(base64.b32decode(secret), counter, "sha1")
    number = struct.unpack(">I", mac[mac[-1] & 15 :][:4])[0] & 0x7FFFFFFF
    code = {"code": f"{number % 1_000_000:06}"}
    if not confirmed:
        return code
    codes = send("POST", f"{path}/confirm", code, bearer(tokens))["data"]["recovery_codes"]
    return {"current_password": PASSWORD, "code": codes[0]}


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def mailed(to, kind):
    """The token after `#<kind>=` in the newest mail to an address."""
    for _ in range(100):
        for mail in reversed(requests.get(BASE + "/_local/mail", timeout=30).json()):
            found = re.search(f"#{kind}=(\\S+)", mail["text"])
            if mail["to"] == to and found:
                return found[1]
        time.sleep(0.05)
    raise LookupError(f"no mail with {kind} to {to}")


ME = send("GET", "/api/auth/me", None, STAFF)["data"]
# Only users with a confirmed address invite others and make keys.
send("POST", "/api/auth/verify-email", {"token": mailed(ME["email"], "verify-email")}, {})


def lead():
    return post("/api/leads", {"email": address(), "first_name": "Ada", "company": "示例科技"}, STAFF)["id"]


def deleted(make, path):
    def made():
        id = make()
        send("DELETE", f"{path}/{id}", None, STAFF)
        return id

    return made


def user():
    return post("/api/users", {"email": address(), "role": "sales"}, STAFF)["id"]


def role():
    return post("/api/roles", {"name": f"Role {next(numbers)}", "permissions": ["leads:read:all"]}, STAFF)["id"]


def team():
    return post("/api/teams", {"name": f"Team {next(numbers)}"}, STAFF)["id"]


def invitation():
    return post("/api/invitations", {"email": address(), "role": "viewer"}, STAFF)["id"]


def api_key():
    return post("/api/api-keys", {"name": "Import", "permissions": ["leads:create:all"]}, STAFF)["id"]


def form():
    return post("/api/forms", {"name": "Campaign"}, STAFF)["id"]


def job():
    return post("/api/privacy/exports", {"email": address()}, STAFF)["id"]


def organization():
    return ME["organization_id"]


def organization_of(tokens):
    return send("GET", "/api/auth/me", None, bearer(tokens))["data"]["organization_id"]


def removed_organization():
    tokens = account()
    id = organization_of(tokens)
    send("DELETE", f"/api/organizations/{id}", None, bearer(tokens))
    return id


def invited_organization():
    return post("/api/organizations", {"name": "B", "owner_email": address()}, STAFF)["id"]


def demo():
    return post("/api/demos", {"email": address(), "interested_products": "x30, x20"}, STAFF)["id"]


def unwanted():
    # A filled honeypot field marks it as spam, which can be released or left as it is.
    return post("/api/leads", {"email": address(), "_gotcha": "x"}, {})["submission_id"]


def question(conversation=None):
    asked = {"messages": [{"role": "user", "content": "你好"}], "conversation_id": conversation}
    return send("POST", "/api/chat", asked, STAFF)


def conversation():
    """A conversation with a question and its answer."""
    id = post("/api/conversations", NEW["conversations"](), STAFF)["id"]
    question(id)
    return id


def entry():
    """An audit log entry whose change can be reverted."""
    id = lead()
    send("PATCH", f"/api/leads/{id}", {"first_name": "Eva"}, STAFF)
    return send("GET", f"/api/audit-logs?resource_id={id}", None, STAFF)["data"][0]["id"]


def stages():
    return [{"key": f"stage_{next(numbers)}", "name": "New", "type": "open", "probability": 10}]


# The bodies to create CRM records.
NEW = {
    "customers": lambda: {"name": "示例科技"},
    "contacts": lambda: {"first_name": "Ada", "email": address()},
    "conversations": lambda: {"title": "x30"},
    "groups": lambda: {"name": f"Group {next(numbers)}"},
    "interactions": lambda: {"customer_id": MAKERS["customers"](), "interaction_type": "call"},
    "opportunities": lambda: {"customer_id": MAKERS["customers"](), "title": "x30"},
    "pipelines": lambda: {"name": f"Pipeline {next(numbers)}", "stages": stages()},
    "tasks": lambda: {"title": "Call Ada"},
    "views": lambda: {"name": "All", "resource": "customers", "query": "limit=20"},
}


def worked_with(kind):
    return lambda: post(f"/api/{kind}", NEW[kind](), STAFF)["id"]


MAKERS = {
    "audit-logs": entry,
    "leads": lead,
    "demos": demo,
    "submissions": unwanted,
    "users": user,
    "roles": role,
    "teams": team,
    "invitations": invitation,
    "api-keys": api_key,
    "forms": form,
    "jobs": job,
    "organizations": organization,
    **{kind: worked_with(kind) for kind in NEW},
    "conversations": conversation,
    "ai": conversation,
    "chat": lambda: question()["run_id"],
}

RESTORERS = {kind: deleted(MAKERS[kind], f"/api/{kind}") for kind in ("leads", "users", "forms", *NEW)}
RESTORERS["organizations"] = removed_organization


def uses_up(method, path):
    """Whether a request makes its record unusable for later requests."""
    return method == "DELETE" or path.endswith(("/restore", "/release", "/spam", "/revert", "/convert"))


def real_id(method, path, n):
    kind = path.replace("/foundation", "").split("/")[2]
    if path.endswith("/audit-logs/users/{id}"):
        return ME["id"]
    make = (RESTORERS if path.endswith("/restore") else MAKERS)[kind]
    if path.endswith("/organizations/{id}/resend"):
        return invited_organization()
    # The id of a demonstration's lead differs only in its prefix; the lead's timeline shows the demonstration.
    if kind == "leads" and path.endswith("/timeline"):
        return demo().replace("demo_", "lead_")
    if uses_up(method, path):
        return make()
    if make not in newest or n % 16 == 1:
        newest[make] = make()
    return newest[make]


IDS = re.compile(
    r"(aud|lead|demo|sub|usr|role|team|inv|key|form|org|ses|cus|con|grp|int|pipe|opp|tsk|view|cnv|run)_[0-7][0-9a-z]{25}"
)


def real_path(case, about, n):
    given = case.path_parameters or {}
    path = case.operation.path
    if "id" in given and about != "id" and path not in OWN_ACCOUNT and IDS.fullmatch(str(given["id"])):
        given["id"] = real_id(case.method, path, n)
    if path == "/v1/models/{id}" and about != "id":
        given["id"] = "daybook-default"
    if "resource_type" in given and about not in ("id", "resource_type"):
        given |= {"resource_type": "lead", "id": lead()}
    if "form_id" in given and about != "form_id" and str(given["form_id"]).startswith("form_"):
        given["form_id"] = FORM


# List parameters that are ids of other records.
NAMED = (
    "owner_id", "actor_id", "resource_id", "request_id", "view_id", "customer_id", "contact_id", "group_id",
    "opportunity_id", "pipeline_id", "assignee_id", "user_id", "linked_to", "conversation_id",
)


def real_query(case, about):
    given = case.query or {}
    # Generated cursors are invalid, and generated ids and search words only lead to empty pages.
    for name in ("cursor", "search", "from", "to", "action", "event", "related_to", "after_seq", *NAMED):
        if name != about:
            given.pop(name, None)
    if "atomic" in given and about != "atomic":
        given["atomic"] = "true"
    if "fields" in given and about != "fields":
        given["fields"] = "id,version"


def real_headers(case, about, n):
    headers = case.headers or {}
    for name in ("If-Match", "X-Form-Key", "Idempotency-Key"):
        if name != about and name in headers:
            del headers[name]
            if name == "Idempotency-Key" and n % 2:
                headers[name] = f"key-{n}"


# Fields that name other records, that depend on other fields, or that can't be changed.
MADE_UP = (
    "customer_id", "customer_ids", "contact_id", "group_ids", "opportunity_id", "pipeline_id", "assignee_id", "related_to",
    "stage", "start_date", "lead_id", "phone_e164", "closed_at", "stage_history", "completed_at", "retired", "linked_to",
)


def record_worked_with(path, body):
    """The fields of a record to create or change, without references to missing records, and with unique names."""
    kind = path.split("/")[2]
    given = {name: value for name, value in body.items() if name not in MADE_UP}
    if not path.endswith("{id}"):
        given = {**NEW[kind](), **given}
    if "email" in given:
        given["email"] = address()
    if "name" in given and kind in ("groups", "pipelines"):
        given["name"] = NEW[kind]()["name"]
    if "stages" in given:
        given["stages"] = stages()
    if "query" in given:
        given["query"] = "limit=20"
    if kind == "conversations" and path.endswith("{id}"):
        for name in ("temporary", "expires_at"):
            given.pop(name, None)
    if given.get("reminders"):
        given["reminders"] = [{"at": "2099-12-31T00:00:00Z"}]
    return given


def batch_item(kind, action):
    """A batch action that can succeed."""
    if action == "create":
        return {"action": action, "data": NEW[kind]()}
    item = {"action": action, "id": (RESTORERS if action == "restore" else MAKERS)[kind]()}
    if action == "update":
        item["data"] = {"notes" if kind == "interactions" else "description": f"Number {next(numbers)}"}
    return item


def real_body(case):
    path, body = case.operation.path, dict(case.body)
    kind = path.split("/")[2]
    if path == "/api/auth/login":
        body = SIGN_IN
    elif path == "/api/auth/register":
        body |= {"email": address(), "username": f"user-{next(numbers)}"}
    elif path == "/api/auth/refresh":
        body = {"refresh_token": account()["refresh_token"]}
    elif path == "/api/auth/me":
        body = {"name": "Owner"}
    elif path == "/api/auth/change-email":
        body = {"email": address(), "current_password": PASSWORD}
    elif path == "/api/auth/mfa/setup":
        body = {"current_password": PASSWORD}
    elif path == "/api/auth/change-password":
        body = {"current_password": PASSWORD, "new_password": f"{PASSWORD}!"}
    elif path == "/api/auth/verify-email":
        body = {"token": mailed(account()["user"]["email"], "verify-email")}
    elif path == "/api/auth/reset-password":
        email = account()["user"]["email"]
        post("/api/auth/forgot-password", {"email": email}, {})
        body = {"token": mailed(email, "reset-password"), "password": PASSWORD}
    elif path in ("/api/users", "/api/users/{id}", "/api/invitations"):
        body |= {"email": address(), "role": "sales"}
    elif path == "/api/audit-logs/revert":
        changed = entry()
        body = {"request_id": send("GET", f"/api/audit-logs/{changed}", None, STAFF)["data"]["request_id"]}
    elif path.endswith("/audit-logs/export"):
        body = {"format": body.get("format", "csv"), "outcome": "denied"}
    elif path == "/api/leads/{id}/convert":
        body = {name: value for name, value in body.items() if name == "create_opportunity"}
    elif path.endswith("/batch"):
        body = {"items": [batch_item(kind, item["action"]) for item in body["items"][:3]]}
    elif path.endswith("/search"):
        # Generated conditions name no field, and generated search words find nothing.
        body = {name: value for name, value in body.items() if name in ("limit", "with_total")}
        body["filter"] = {"created_at": {"gte": "2020-01-01"}} if not body.get("with_total") else {}
    elif path.endswith("/stage"):
        body = {"stage": "proposal"}
    elif path == "/api/chat":
        asked = {"messages": [{"role": "user", "content": "你好"}]}
        body = asked | {name: value for name, value in body.items() if name in ("temperature", "stream")}
    elif path == "/api/chat/ui":
        body = {"id": "chat", "messages": [{"role": "user", "parts": [{"type": "text", "text": "你好"}]}]}
    elif path == "/v1/chat/completions":
        body = {"messages": [{"role": "user", "content": "你好"}], "stream": body.get("stream") is True}
    elif path == "/v1/responses":
        body = {"input": "你好", "stream": body.get("stream") is True}
    elif path.endswith("/fork"):
        body = {}
    elif path == "/api/ai/budgets":
        body = {"per_user": {"daily_tokens": 1_000_000}}
    elif path == "/api/integrations/ai":
        body = {"api_keys": {"openai": "sk-test"}}
    elif path == "/api/integrations/mail/replay":
        # No mail has failed that a body could name.
        body = {}
    elif kind in NEW:
        body = record_worked_with(path, body)
    elif body.get("records"):
        body["records"] = [lead()]
    if "member_ids" in body:
        body["member_ids"] = [user()]
    if "expires_at" in body:
        body["expires_at"] = "2099-12-31T00:00:00Z"
    if "allowed_origins" in body:
        body["allowed_origins"] = ["https://www.example.com"]
    for name in ("owner_id", "form_id", "invite_token", "username", "code"):
        body.pop(name, None)
    # A record may be sent back as it was read, but generated values of read-only fields are refused.
    for name in ("id", "version", "created_at", "updated_at", "made_by", "prefix", "owner_ids", *READ_ONLY):
        if "{id}" in path:
            body.pop(name, None)
    case.body = body


@schemathesis.hook
def before_call(ctx, case, kwargs):
    n = next(numbers)
    given = case.path_parameters or {}
    if case.operation.path == "/api/chat" and isinstance(case.body, dict) and case.body.get("stream") is True:
        # The document describes the answer as JSON alone.
        case.body["stream"] = False
    if given.get("id") == ME["id"] and "audit-logs" not in case.operation.path:
        # Sequences would use the requesting user, and change their address or suspend them.
        given["id"] = user()
    if case.operation.path == "/api/organizations/{id}" and IDS.fullmatch(str(given.get("id"))) and case.method != "DELETE":
        # Sequences would use another organisation, which this user can't see.
        given["id"] = ME["organization_id"]
    tokens = None
    # Intentionally invalid tokens aren't replaced.
    if case.operation.path in OWN_ACCOUNT and (case.headers or {}).get("Authorization") == STAFF["Authorization"]:
        tokens = confirmed_account() if "/mfa/" in case.operation.path else account()
        case.headers.update(bearer(tokens))
        if "id" in given:
            sessions = send("GET", "/api/auth/sessions", None, bearer(tokens))["data"]
            given["id"] = sessions[0]["id"] if n % 4 else given["id"]
    if case.method == "POST" and case.operation.path in FORMS:
        if n % 2:
            case.headers["Authorization"] = STAFF["Authorization"]
        if n % 3 == 0 and case.media_type != "application/json":
            case.headers["Accept"] = "text/html"
    # Sequences of requests use their own ids.
    if n % 4 == 0 or case.meta is None or case.meta.phase.name.value == "stateful":
        return
    about = getattr(case.meta.phase.data, "parameter", None)
    wrong = {place.value for place in case.meta.components if case.meta.is_negative_at(place)}
    if "path" not in wrong:
        real_path(case, about, n)
    if "path" not in wrong and (case.method, case.operation.path) == ("DELETE", "/api/organizations/{id}"):
        # The requesting user is needed for later requests.
        if (case.headers or {}).get("Authorization") == STAFF["Authorization"]:
            tokens = account()
            case.headers.update(bearer(tokens))
            given["id"] = organization_of(tokens)
    if "query" not in wrong:
        real_query(case, about)
    if "header" not in wrong:
        real_headers(case, about, n)
    if "body" not in wrong and isinstance(case.body, dict):
        real_body(case)
        path = case.operation.path
        if tokens and path in ("/api/auth/mfa/confirm", "/api/auth/mfa/disable"):
            case.body = second_factor(tokens, path.endswith("disable"))


@schemathesis.hook
def after_call(ctx, case, response):
    if case.method == case.operation.method.upper():
        tried.add(case.operation.label)
        if response.status_code < 400:
            succeeded.add(case.operation.label)


@atexit.register
def say_what_never_succeeded():
    with open(UNREACHED, "w") as file:
        file.writelines(f"{label}\n" for label in sorted(tried - succeeded - {f"POST {path}" for path in BY_LATER_MAIL}))
