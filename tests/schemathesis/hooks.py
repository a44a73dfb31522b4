"""Real ids, fresh keys and new addresses, where made-up ones would only ever meet 404, 409 and 412.

Three of four requests get them; the fourth keeps what was made up, so that the refusals are seen too. What a
request is about, and what is wrong on purpose, is left alone. Forms come from staff and from visitors, from scripts
and from browsers. Also notes which operations never succeeded.
"""

import atexit
import itertools
import os
import re

import requests
import schemathesis

BASE = os.environ["DAYBOOK_URL"]
STAFF = {"Authorization": f"Bearer {os.environ['DAYBOOK_TOKEN']}"}
SIGN_IN = {"email": os.environ["DAYBOOK_EMAIL"], "password": os.environ["DAYBOOK_PASSWORD"]}
UNREACHED = os.environ["DAYBOOK_UNREACHED"]
FORM = "form_01kdvpaw00fpgv030000000001"

# Forms are posted here, by anybody; staff, who send a token, are told more.
FORMS = {"/f/{form_id}", "/api/leads", "/api/leads/{id}/demo", "/api/demos", "/api/contact"}

# These use up the record that they are called for.
ONCE = {
    ("DELETE", "/api/leads/{id}"),
    ("POST", "/api/leads/{id}/restore"),
    ("POST", "/api/submissions/{id}/release"),
    ("POST", "/api/submissions/{id}/spam"),
}

numbers = itertools.count(1)
newest = {}
tried, succeeded = set(), set()


def post(path, body, headers):
    answer = requests.post(BASE + path, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]


def address():
    return f"visitor{next(numbers)}@example.com"


def lead():
    return post("/api/leads", {"email": address(), "first_name": "Ada", "company": "示例科技"}, STAFF)["id"]


def deleted_lead():
    id = lead()
    requests.delete(f"{BASE}/api/leads/{id}", headers=STAFF, timeout=30).raise_for_status()
    return id


def demo():
    return post("/api/demos", {"email": address(), "interested_products": "x30, x20"}, STAFF)["id"]


def unwanted():
    # A filled honeypot makes it spam, which may be released or left as it is.
    return post("/api/leads", {"email": address(), "_gotcha": "x"}, {})["submission_id"]


def maker(path):
    if path.endswith("/restore"):
        return deleted_lead
    return {"leads": lead, "demos": demo, "submissions": unwanted}[path.split("/")[2]]


def real_id(method, path, n):
    make = maker(path)
    # A demonstration's lead has its id with another prefix, and a timeline that shows it.
    if path.endswith("/timeline"):
        return demo().replace("demo_", "lead_")
    if (method, path) in ONCE or make not in newest or n % 16 == 1:
        newest[make] = make()
    return newest[make]


def real_path(case, about, n):
    given = case.path_parameters or {}
    if "id" in given and about != "id" and re.fullmatch(r"(lead|demo|sub)_[0-7][0-9a-z]{25}", str(given["id"])):
        given["id"] = real_id(case.method, case.operation.path, n)
    if "form_id" in given and about != "form_id" and str(given["form_id"]).startswith("form_"):
        given["form_id"] = FORM


def real_query(case, about):
    given = case.query or {}
    # Cursors are handed out, and ids and searches lead to empty pages.
    for name in ("cursor", "owner_id", "search"):
        if name != about:
            given.pop(name, None)
    if "fields" in given and about != "fields":
        given["fields"] = "id,version"


def real_headers(case, about, n):
    headers = case.headers or {}
    for name in ("If-Match", "X-Form-Key", "Idempotency-Key"):
        if name != about and name in headers:
            del headers[name]
            if name == "Idempotency-Key" and n % 2:
                headers[name] = f"key-{n}"


def real_body(case):
    path, body = case.operation.path, dict(case.body)
    if path == "/api/auth/login":
        body = SIGN_IN
    elif path == "/api/auth/register":
        body |= {"email": address(), "username": f"user-{next(numbers)}"}
    elif body.get("records"):
        body["records"] = [lead()]
    for name in ("owner_id", "form_id"):
        body.pop(name, None)
    case.body = body


@schemathesis.hook
def before_call(ctx, case, kwargs):
    n = next(numbers)
    if case.method == "POST" and case.operation.path in FORMS:
        if n % 2:
            case.headers["Authorization"] = STAFF["Authorization"]
        if n % 3 == 0 and case.media_type != "application/json":
            case.headers["Accept"] = "text/html"
    # Sequences of requests bring ids of their own.
    if n % 4 == 0 or case.meta is None or case.meta.phase.name.value == "stateful":
        return
    about = getattr(case.meta.phase.data, "parameter", None)
    wrong = {place.value for place in case.meta.components if case.meta.is_negative_at(place)}
    if "path" not in wrong:
        real_path(case, about, n)
    if "query" not in wrong:
        real_query(case, about)
    if "header" not in wrong:
        real_headers(case, about, n)
    if "body" not in wrong and isinstance(case.body, dict):
        real_body(case)


@schemathesis.hook
def after_call(ctx, case, response):
    if case.method == case.operation.method.upper():
        tried.add(case.operation.label)
        if response.status_code < 400:
            succeeded.add(case.operation.label)


@atexit.register
def say_what_never_succeeded():
    with open(UNREACHED, "w") as file:
        file.writelines(f"{label}\n" for label in sorted(tried - succeeded))
