"""Tests with single rights removed from a role: the affected step fails with an error and works again afterwards."""

import json
import time
from contextlib import contextmanager

from emulator import inline_policies, role_of, wait_for


def without_right(journey):
    """Every right here is granted by the template; the failure without it shows that it is needed."""
    print("== with single rights removed", flush=True)
    began = time.monotonic()
    a_lead_is_refused(journey)
    a_mail_waits(journey)
    print(f"   ok ({time.monotonic() - began:.1f} s)", flush=True)


def a_lead_is_refused(journey):
    lead = {"email": "turned-away@example.com"}
    with taken_away(journey.emulator, "submit-lead", "dynamodb:PutItem"):
        answer = journey.call("POST", "/api/leads", lead)
        assert answer.status in (500, 503), answer.status
        assert b"AccessDenied" not in answer.body, answer.body
    found = journey.signed_in("GET", "/api/leads?search=turned-away").expect(200).json["data"]
    assert found == [], found
    journey.call("POST", "/api/leads", lead).expect(201)


def a_mail_waits(journey):
    address = "waits@example.com"
    # The team gets a mail about a lead that staff enter, without rate limits.
    told = lambda: sum(address in json.dumps(mail) for mail in journey.emulator.mails())
    with taken_away(journey.emulator, "send-mail", "ses:SendEmail"):
        journey.signed_in("POST", "/api/leads", {"email": address}).expect(201)
        lines = lambda: journey.emulator.log_lines("send-mail")
        refused = lambda: any("AccessDenied" in str(line.get("reason")) for line in lines())
        wait_for("a mail that may not be sent", refused)
        assert told() == 0
    wait_for("the mail, once it may be sent", lambda: told() == 1, 120)


@contextmanager
def taken_away(emulator, function, action):
    """Removes an action from all policies of a function's role, and restores it afterwards."""
    iam, role = emulator.client("iam"), role_of(emulator, function)
    before = {name: json.dumps(document) for name, document in inline_policies(iam, role).items()}
    assert any(json.dumps(action) in document for document in before.values()), f"{function} has no {action} to lose"
    for name, document in inline_policies(iam, role).items():
        document["Statement"] = [left for left in map(lambda one: without(one, action), document["Statement"]) if left]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        for name, document in before.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)


def without(statement, action):
    """A statement without an action; None if no action is left. What is denied stays denied."""
    if statement["Effect"] == "Deny":
        return statement
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    left = [one for one in actions if one != action]
    return {**statement, "Action": left} if left else None
