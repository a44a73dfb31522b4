"""End-to-end test of Daybook's main use, over HTTP, as visitors and sales people use it; each step asserts its results."""

import base64
import json
import re
import time
from pathlib import Path

from botocore.exceptions import ClientError

from chat import ChatSteps
from emulator import ROOT, STACK, request, wait_for

LEAD = {
    "first_name": "张", "last_name": "三", "email": "zhang.san@example.com", "phone": "+86-138-0013-8000",
    "company": "示例科技有限公司", "requirements": "需要自动化巡检解决方案",
}


class Journey(ChatSteps):
    def __init__(self, emulator, hubspot):
        self.emulator, self.hubspot = emulator, hubspot
        outputs = emulator.outputs()
        self.base = f"{emulator.url}/_aws/execute-api/{outputs['ApiId']}/$default"
        # The emulator serves Function URLs under their ids.
        self.stream_url = outputs["StreamUrl"]
        self.stream = f"{emulator.url}/_aws/lambda-url/{self.stream_url.split('//')[1].split('.')[0]}"
        self.socket = f"ws://{emulator.url.split('//')[1]}/_aws/execute-api/{outputs['SocketApiId']}/test"
        self.socket_url = outputs["SocketUrl"]
        self.token = None

    def call(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, self.base + path, body, headers)

    def signed_in(self, method, path, body=None, **headers):
        return self.call(method, path, body, authorization=f"Bearer {self.token}", **headers)

    def go(self):
        steps = [
            self.it_is_up, self.a_lead_comes_in_once, self.both_mails_go_out, self.hubspot_has_the_contact,
            self.nobody_reads_without_a_token, self.the_owner_registers_and_signs_in, self.the_lead_is_found,
            self.it_is_changed_trashed_and_restored, self.a_colleague_joins_by_the_link_of_a_mail,
            self.a_session_is_refreshed_and_ended, self.a_program_signs_in_with_a_key,
            self.all_of_it_is_on_record_chained_and_can_be_undone, self.a_demonstration_is_asked_for, self.a_message_arrives,
            self.hubspot_stands_in_the_api, self.a_customer_has_what_belongs_to_it, self.an_opportunity_moves_on_the_board,
            self.a_reminder_comes_by_mail, self.a_lead_is_converted_and_a_view_shows_its_customer,
            self.a_customer_goes_and_comes_back_with_what_belongs_to_it, self.the_reference_is_there,
            self.a_page_of_another_origin_may_post, self.the_ai_answers_by_the_queues_worker,
            self.an_answer_is_streamed_at_its_own_url, self.other_peoples_clients_stream_there, self.an_answer_is_stopped,
            self.a_socket_is_answered_in_order, self.a_socket_that_is_gone_is_forgotten, self.a_task_is_told_at_once,
            self.signing_out_closes_the_socket, self.a_budget_is_exhausted,
            self.a_person_gets_what_is_known_of_them_and_is_forgotten, self.the_chain_is_anchored_where_nobody_can_change_it,
            self.every_sample_event_is_answered, self.one_poisoned_message_steps_aside, self.a_bounce_is_heard_of,
            self.a_refused_mail_is_counted_and_sent_again, self.a_period_is_dispatched_again,
            self.one_trace_leads_through, self.cold_starts_are_among_the_log_lines,
            self.a_secret_is_replaced_without_a_deployment,
        ]
        for step in steps:
            began = time.monotonic()
            step()
            print(f"   ok {step.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)

    def it_is_up(self):
        assert self.call("GET", "/health").expect(200).json["status"] == "healthy"
        self.call("GET", "/health/ready").expect(200)
        nowhere = self.call("GET", "/api/nothing/here").expect(404)
        assert nowhere.headers["content-type"] == "application/problem+json", nowhere.headers["content-type"]

    def a_lead_comes_in_once(self):
        first = self.call("POST", "/api/leads", LEAD, idempotency_key="once").expect(201)
        again = self.call("POST", "/api/leads", LEAD, idempotency_key="once").expect(201)
        assert again.headers["idempotency-replayed"] == "true" and first.body == again.body
        self.call("POST", "/api/leads", {**LEAD, "company": "Other"}, idempotency_key="once").expect(422)
        self.lead = first.json["data"]["id"]

    def both_mails_go_out(self):
        mails = wait_for("both mails", lambda: len(self.emulator.mails()) >= 2 and self.emulator.mails())
        # A duplicate mail would have arrived by then.
        time.sleep(2)
        to = sorted(recipient for mail in self.emulator.mails() for recipient in recipients(mail))
        assert to == ["team@example.com", "zhang.san@example.com"], to
        assert any("示例科技有限公司" in json.dumps(mail, ensure_ascii=False) for mail in mails), mails

    def contacts(self):
        return request("GET", f"{self.hubspot}/_fake/contacts").expect(200).body.decode()

    def hubspot_has_the_contact(self):
        wait_for("the contact in HubSpot", lambda: "zhang.san@example.com" in self.contacts())
        assert self.contacts().count("zhang.san@example.com") == 1, self.contacts()

    def nobody_reads_without_a_token(self):
        for path in ["/api/leads", f"/api/leads/{self.lead}", "/api/submissions", "/api/demos"]:
            self.call("GET", path).expect(401)
        self.call("GET", "/api/leads", authorization="Bearer nonsense").expect(401)

    def the_owner_registers_and_signs_in(self):
        somebody = {"username": "mallory", "email": "mallory@example.com", "password": "correct horse battery"}
        self.call("POST", "/api/auth/register", somebody).expect(403)
        owner = {"username": "owner", "email": "owner@example.com", "password": "correct horse battery"}
        self.call("POST", "/api/auth/register", {**owner, "owner_code": "fedcba9876543210"}).expect(422)
        self.call("POST", "/api/auth/register", owner).expect(202)
        token = self.invitation(owner["email"])
        self.call("POST", "/api/auth/register", {**owner, "invite_token": token}).expect(201)
        login = self.call("POST", "/api/auth/login", {"email": owner["email"], "password": owner["password"]})
        self.token = login.expect(200).json["access_token"]
        assert self.signed_in("GET", "/api/auth/me").expect(200).json["data"]["email"] == owner["email"]

    def the_lead_is_found(self):
        for words in ["张三", "示例", "zhang", "8000"]:
            found = self.signed_in("GET", "/api/leads?search=" + quoted(words)).expect(200).json["data"]
            assert [lead["id"] for lead in found] == [self.lead], (words, found)
        # This list reads an index.
        assert self.signed_in("GET", "/api/leads?status=new").expect(200).json["data"][0]["id"] == self.lead

    def it_is_changed_trashed_and_restored(self):
        read = self.signed_in("GET", f"/api/leads/{self.lead}").expect(200)
        changed = self.signed_in("PATCH", f"/api/leads/{self.lead}", {"status": "contacted"}, if_match=read.headers["etag"])
        assert changed.expect(200).json["data"]["status"] == "contacted"
        self.signed_in("PATCH", f"/api/leads/{self.lead}", {"status": "qualified"}, if_match=read.headers["etag"]).expect(412)
        self.signed_in("DELETE", f"/api/leads/{self.lead}").expect(200)
        self.signed_in("GET", f"/api/leads/{self.lead}").expect(404)
        self.signed_in("POST", f"/api/leads/{self.lead}/restore").expect(200)
        timeline = self.signed_in("GET", f"/api/leads/{self.lead}/timeline").expect(200).json["data"]
        assert len(timeline) >= 3, timeline

    def invitation(self, email):
        """The token in the invitation that was mailed to an address."""
        def link():
            text = json.dumps([mail for mail in self.emulator.mails() if email in recipients(mail)])
            found = re.search(r"/account#invite=([\w.-]+)", text)
            return found and found[1]
        return wait_for("the invitation", link)

    def a_colleague_joins_by_the_link_of_a_mail(self):
        self.signed_in("POST", "/api/invitations", {"email": "eva@example.com", "role": "sales"}).expect(201)
        token = self.invitation("eva@example.com")
        eva = {"email": "eva@example.com", "password": "correct horse battery", "invite_token": token}
        assert self.call("POST", "/api/auth/register", eva).expect(201).json["user"]["role"] == "sales"
        self.call("POST", "/api/auth/register", eva).expect(409)
        assert self.signed_in("GET", "/api/users").expect(200).json["meta"]["count"] == 2
        self.call("GET", "/account").expect(200)

    def a_session_is_refreshed_and_ended(self):
        eva = {"email": "eva@example.com", "password": "correct horse battery"}
        first = self.call("POST", "/api/auth/login", eva).expect(200).json
        second = self.call("POST", "/api/auth/refresh", {"refresh_token": first["refresh_token"]}).expect(200).json
        bearer = {"authorization": f"Bearer {second['access_token']}"}
        assert len(self.call("GET", "/api/auth/sessions", **bearer).expect(200).json["data"]) == 2
        self.call("GET", "/api/users", **bearer).expect(200)
        self.call("POST", "/api/roles", {"name": "All", "permissions": []}, **bearer).expect(403)
        self.call("POST", "/api/auth/logout", {}, **bearer).expect(200)
        self.call("GET", "/api/auth/me", **bearer).expect(401)
        self.call("POST", "/api/auth/login", {**eva, "password": "wrong"}).expect(401)

    def a_program_signs_in_with_a_key(self):
        asked = {"name": "Import", "permissions": ["leads:read:all"]}
        key = self.signed_in("POST", "/api/api-keys", asked).expect(201).json["data"]
        assert self.call("GET", f"/api/leads/{self.lead}", x_api_key=key["key"]).expect(200)
        self.call("GET", "/api/users", x_api_key=key["key"]).expect(403)
        self.signed_in("DELETE", f"/api/api-keys/{key['id']}").expect(200)
        self.call("GET", f"/api/leads/{self.lead}", x_api_key=key["key"]).expect(401)

    def all_of_it_is_on_record_chained_and_can_be_undone(self):
        log = self.signed_in("GET", "/api/foundation/audit-logs?limit=200").expect(200).json["data"]
        actions = {entry["action"] for entry in log}
        wanted = {"create", "update", "delete", "restore", "login", "login_failed", "logout", "token_refresh", "denied",
                  "key_created", "key_revoked"}
        assert wanted <= actions, wanted - actions
        self.signed_in("PATCH", f"/api/leads/{self.lead}", {"job_title": "Engineer"}).expect(200)
        last = self.signed_in("GET", f"/api/audit-logs?resource_id={self.lead}&limit=1").expect(200).json["data"][0]
        self.signed_in("POST", f"/api/audit-logs/{last['id']}/revert").expect(200)
        lead = self.signed_in("GET", f"/api/leads/{self.lead}").expect(200).json["data"]
        assert lead["job_title"] is None, lead
        # As JSON: the emulator drops the byte order mark that a CSV begins with, but not from its length.
        export = self.signed_in("POST", "/api/audit-logs/export", {"format": "json", "outcome": "denied"}).expect(200)
        assert {entry["outcome"] for entry in export.json} == {"denied"}, export.body

        def chained():
            found = self.signed_in("GET", "/api/audit-logs/verify").expect(200).json["data"]
            assert found["intact"], found
            return found["waiting"] == 0 and found["head"]["seq"] >= len(log)
        wait_for("a chain of all entries", chained)

    def a_demonstration_is_asked_for(self):
        asked = {
            "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com",
            "preferred_date": "2030-01-20T14:00:00+08:00", "demo_type": "virtual",
        }
        self.call("POST", "/api/demos", asked).expect(201)
        listed = self.signed_in("GET", "/api/demos").expect(200).json["data"]
        assert len(listed) == 1, listed
        self.signed_in("PATCH", f"/api/demos/{listed[0]['id']}", {"status": "confirmed"}).expect(200)

    def a_message_arrives(self):
        message = {"name": "Grace Hopper", "email": "grace@example.com", "message": "Please call."}
        self.call("POST", "/api/contact", message).expect(201)
        form = b"email=form%40example.com&first_name=Form"
        html = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html"}
        self.call("POST", "/f/form_01kdvpaw00fpgv030000000001", form, **html).expect(200)
        assert len(self.signed_in("GET", "/api/submissions").expect(200).json["data"]) >= 4

    def hubspot_stands_in_the_api(self):
        def synced():
            rows = self.signed_in("GET", "/api/integrations/hubspot/records?state=synced").expect(200).json["data"]
            return len(rows) >= 4
        wait_for("four leads equal in HubSpot", synced)

    def made(self, path, body):
        """Creates a record; returns its path and the record."""
        data = self.signed_in("POST", path, body).expect(201).json["data"]
        return f"{path}/{data['id']}", data

    def a_customer_has_what_belongs_to_it(self):
        self.customer, customer = self.made("/api/customers", {"name": "ABC科技", "email": "li.si@example.com"})
        of_it = {"customer_id": customer["id"]}
        self.contact, contact = self.made("/api/contacts", {**of_it, "first_name": "四", "last_name": "李"})
        call = {**of_it, "interaction_type": "call", "notes": "初次沟通", "contact_id": contact["id"]}
        self.interaction, _ = self.made("/api/interactions", call)
        deal = {**of_it, "title": "ERP", "value": 120000, "stage": "proposal"}
        self.opportunity, opportunity = self.made("/api/opportunities", deal)
        about = {"type": "opportunity", "id": opportunity["id"]}
        self.task, _ = self.made("/api/tasks", {"title": "Send the offer", "related_to": about})
        for path in [self.contact, self.interaction, self.opportunity, self.task]:
            kind, id = path.rsplit("/", 1)
            listed = self.signed_in("GET", f"{kind}?customer_id={customer['id']}").expect(200).json["data"]
            assert [one["id"] for one in listed] == [id], (kind, listed)
            asked = {"filter": {"customer_id": customer["id"], "created_at": {"gte": "2020-01-01"}}}
            found = self.signed_in("POST", f"{kind}/search", asked).expect(200).json["data"]
            assert [one["id"] for one in found] == [id], (kind, found)
        # This path must reach neither the intake of leads nor the route of a lead's id.
        found = self.signed_in("POST", "/api/leads/search", {"limit": 1}).expect(200).json["data"]
        assert len(found) == 1 and found[0]["id"].startswith("lead_"), found
        for words in ["ABC", "科技", "li.si@example.com"]:
            found = self.signed_in("GET", "/api/customers?search=" + quoted(words)).expect(200).json["data"]
            assert [one["id"] for one in found] == [customer["id"]], (words, found)
        timeline = self.signed_in("GET", f"{self.customer}/timeline").expect(200).json["data"]
        assert {"contact", "interaction", "opportunity", "task", "change"} <= {one["type"] for one in timeline}, timeline

    def an_opportunity_moves_on_the_board(self):
        moved = self.signed_in("POST", f"{self.opportunity}/stage", {"stage": "negotiation"}).expect(200).json["data"]
        assert moved["probability"] == 80 and len(moved["stage_history"]) == 2, moved
        board = self.signed_in("GET", "/api/opportunities/board").expect(200).json["data"]
        shown = {column["stage"]["key"]: [one["id"] for one in column["opportunities"]] for column in board["columns"]}
        assert shown["negotiation"] == [moved["id"]] and shown["proposal"] == [], shown

    def a_reminder_comes_by_mail(self):
        at = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        asked = {"title": "Call Li Si back", "due_date": at(3600), "reminders": [{"at": at(-60)}]}
        _, task = self.made("/api/tasks", asked)
        # It would run within a minute.
        swept = self.emulator.client("lambda").invoke(FunctionName=f"{STACK}-sweep", Payload="{}")
        assert "FunctionError" not in swept, swept["Payload"].read()
        reminders = lambda: [mail for mail in self.emulator.mails() if asked["title"] in json.dumps(mail)]
        wait_for("the reminder", reminders)
        # A duplicate would have arrived by then.
        time.sleep(2)
        assert [recipients(mail) for mail in reminders()] == [["owner@example.com"]], reminders()
        log = self.signed_in("GET", f"/api/audit-logs?resource_id={task['id']}").expect(200).json["data"]
        assert [entry["event"] for entry in log] == ["task.due", "task.created"], log

    def a_lead_is_converted_and_a_view_shows_its_customer(self):
        lead, _ = self.made("/api/leads", {"email": "wang.wu@example.com", "company": "XYZ"})
        converted = self.signed_in("POST", f"{lead}/convert", {}).expect(201).json["data"]
        customer = converted["customer"]
        assert converted["lead"]["status"] == "converted" and customer["name"] == "XYZ", converted
        assert converted["contact"]["customer_ids"] == [customer["id"]], converted
        self.signed_in("POST", f"{lead}/convert", {}).expect(409)
        of_companies = {"name": "Companies", "resource": "customers", "query": "status=active&type=company"}
        _, view = self.made("/api/views", of_companies)
        shown = self.signed_in("GET", f"/api/customers?view_id={view['id']}").expect(200).json["data"]
        assert [one["id"] for one in shown] == [customer["id"]], shown

    def a_customer_goes_and_comes_back_with_what_belongs_to_it(self):
        family = [self.customer, self.interaction, self.opportunity, self.task]
        self.signed_in("DELETE", self.customer).expect(200)
        for path in family:
            self.signed_in("GET", path).expect(404)
        self.signed_in("GET", self.contact).expect(200)
        self.signed_in("POST", f"{self.customer}/restore").expect(200)
        for path in family:
            self.signed_in("GET", path).expect(200)

    def the_reference_is_there(self):
        assert self.call("GET", "/openapi.json").expect(200).json["openapi"].startswith("3.")
        for path in ["/docs", "/docs/start.js", "/redoc", "/daybook-form.js"]:
            self.call("GET", path).expect(200)

    def a_page_of_another_origin_may_post(self):
        # Preflights aren't tested here: the emulator answers them itself, while AWS passes them to the function if the API
        # has no CORS settings. tests/api/transport.rs tests how functions answer them.
        posted = self.call("POST", "/api/leads", {"email": "shop@example.com"}, origin="https://shop.example").expect(201)
        assert posted.headers["access-control-allow-origin"] == "https://shop.example"
        listed = self.signed_in("GET", "/api/leads", origin="https://shop.example").expect(200)
        assert listed.headers["access-control-allow-origin"] is None
        ours = self.signed_in("GET", "/api/leads", origin="https://app.example.com").expect(200)
        assert ours.headers["access-control-allow-origin"] == "https://app.example.com"

    def a_person_gets_what_is_known_of_them_and_is_forgotten(self):
        grace = {"email": "grace@example.com"}
        contact = lambda: grace["email"] in self.contacts()
        wait_for("a contact in HubSpot", contact)
        job = self.signed_in("POST", "/api/privacy/exports", grace).expect(202).json["data"]
        file = request("GET", self.done(job)["download_url"]).expect(200)
        assert "Please call." in file.body.decode(), file.body
        assert file.headers["content-disposition"].startswith("attachment"), file.headers
        job = self.signed_in("POST", "/api/privacy/erasures", grace).expect(202).json["data"]
        erased = self.done(job)["erased"]
        assert erased["records"] >= 2 and erased["entries"] >= 1 and erased["contacts"] == 1, erased
        found = self.signed_in("GET", "/api/leads?search=grace").expect(200).json["data"]
        assert found == [], found
        wait_for("HubSpot to forget the contact", lambda: not contact())
        found = self.signed_in("GET", "/api/audit-logs/verify").expect(200).json["data"]
        assert found["intact"] and len(found["erased"]) == erased["entries"], found

    def done(self, job):
        def ended():
            found = self.signed_in("GET", f"/api/jobs/{job['id']}").expect(200).json["data"]
            return found if found["status"] != "queued" else None
        found = wait_for("a job to end", ended)
        assert found["status"] == "done", found
        return found

    def the_chain_is_anchored_where_nobody_can_change_it(self):
        invoked = self.emulator.client("lambda").invoke(FunctionName=f"{STACK}-anchor-journal", Payload="{}")
        assert "FunctionError" not in invoked, invoked["Payload"].read()
        s3 = self.emulator.client("s3")
        formation = self.emulator.client("cloudformation")
        bucket = formation.describe_stack_resource(StackName=STACK, LogicalResourceId="AnchorsBucket")
        bucket = bucket["StackResourceDetail"]["PhysicalResourceId"]
        anchors = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert len(anchors) == 1, anchors
        key, version = anchors[0]["Key"], anchors[0]["VersionId"]
        lock = s3.get_object_retention(Bucket=bucket, Key=key)["Retention"]
        assert lock["Mode"] == "GOVERNANCE", lock
        try:
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
            raise AssertionError("an anchor was removed")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error
        # Once a day: the second run of the same day doesn't overwrite the anchor.
        invoked = self.emulator.client("lambda").invoke(FunctionName=f"{STACK}-anchor-journal", Payload="{}")
        assert "FunctionError" not in invoked, invoked["Payload"].read()
        assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1
        found = self.signed_in("GET", "/api/audit-logs/verify").expect(200).json["data"]
        assert found["intact"] and len(found["anchors"]) == 1, found

    def every_sample_event_is_answered(self):
        invoke = self.emulator.client("lambda").invoke
        for file in sorted(Path(ROOT / "events").glob("*/*.json")):
            event = file.read_text().replace("ACCESS_TOKEN", self.token)
            answer = invoke(FunctionName=f"{STACK}-{file.parent.name}", Payload=event)
            said = answer["Payload"].read().decode()
            assert "FunctionError" not in answer, f"{file}: {said}"
            said = json.loads(said) or {}
            if isinstance(said, str):
                # A streamed answer: its head, eight zero bytes and its body.
                said = json.loads(said.split("\0" * 8, 1)[0])
            assert said.get("batchItemFailures", []) == [], f"{file}: {said}"
            # Registration is by invitation here, so the sample's user doesn't exist.
            expected = {"auth/register": [403], "auth/login": [401]}.get(f"{file.parent.name}/{file.stem}", [200, 201, 202])
            assert said.get("statusCode", 200) in expected, f"{file}: {said}"

    def one_poisoned_message_steps_aside(self):
        sqs = self.emulator.client("sqs")
        mail = sqs.get_queue_url(QueueName=f"{STACK}-Mail")["QueueUrl"]
        dead = sqs.get_queue_url(QueueName=f"{STACK}-Mail-dead-letters")["QueueUrl"]
        # All five deliveries would take half an hour.
        sqs.set_queue_attributes(QueueUrl=mail, Attributes={"VisibilityTimeout": "1"})
        good = json.loads((ROOT / "events/send-mail/queue.json").read_text())["Records"][0]["body"]
        entries = [{"Id": "good", "MessageBody": good}, {"Id": "poison", "MessageBody": "no message of ours"}]
        sqs.send_message_batch(QueueUrl=mail, Entries=entries)

        def aside():
            found = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return found.get("Messages")
        bodies = [message["Body"] for message in wait_for("the poisoned message among the dead letters", aside, 90)]
        assert bodies == ["no message of ours"], bodies
        failed = [line for line in self.emulator.log_lines("send-mail") if line.get("message") == "job failed"]
        assert len(failed) == 5, failed
        sqs.set_queue_attributes(QueueUrl=mail, Attributes={"VisibilityTimeout": "360"})

    def a_bounce_is_heard_of(self):
        # The emulator's SES reports no bounces, and its bus accepts no events of AWS services from clients. So the rule's
        # pattern is tested with the event, and the event is sent to the queue directly.
        sent = json.loads((ROOT / "events/send-mail/ses.json").read_text())["Records"][0]["body"]
        event = json.loads(sent)
        event["detail"]["mail"]["tags"]["ses:configuration-set"] = [STACK]
        event["detail"]["bounce"]["bouncedRecipients"] = [{"emailAddress": "gone@example.com"}]
        events, sqs = self.emulator.client("events"), self.emulator.client("sqs")
        rules = [rule for rule in events.list_rules()["Rules"] if "aws.ses" in rule.get("EventPattern", "")]
        assert len(rules) == 1, rules
        matches = events.test_event_pattern(EventPattern=rules[0]["EventPattern"], Event=json.dumps(event))
        assert matches["Result"], (rules[0]["EventPattern"], event)
        target = events.list_targets_by_rule(Rule=rules[0]["Name"])["Targets"][0]["Arn"]
        before = self.suppressed()
        url = sqs.get_queue_url(QueueName=target.rsplit(":", 1)[1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
        wait_for("the address among those that get no mail", lambda: self.suppressed() == before + 1, 30)

    def suppressed(self):
        """The number of suppressed addresses."""
        table = self.emulator.outputs()["Table"]
        asked = self.emulator.client("dynamodb").query(
            TableName=table, KeyConditionExpression="pk = :pk", Select="COUNT",
            ExpressionAttributeValues={":pk": {"S": "org_01kdvpaw00fpgv030000000001#suppression"}},
        )
        return asked["Count"]

    def a_secret_is_replaced_without_a_deployment(self):
        self.signed_in("GET", "/api/leads").expect(200)
        self.emulator.client("ssm").put_parameter(
            Name="/daybook/jwt-secret", Type="SecureString", Overwrite=True,
            Value="second:fedcba9876543210fedcba9876543210,first:0123456789abcdef0123456789abcdef",
        )
        # A new process of one function signs with the new key; processes of the others keep running.
        functions, name = self.emulator.client("lambda"), f"{STACK}-auth"
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, "ANEW": "1"}})
        person = {"email": "owner@example.com", "password": "correct horse battery"}

        def signed_anew():
            token = self.call("POST", "/api/auth/login", person).expect(200).json["access_token"]
            header = token.split(".")[0]
            header = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
            return header["kid"] == "second" and token
        token = wait_for("a token of the new key", signed_anew, 30, pause=3)
        # A function that has just read its secret waits half a minute before it reads it again.
        known = lambda: self.call("GET", "/api/leads", authorization=f"Bearer {token}").status == 200
        wait_for("the new key where it wasn't known", known, 40)
        self.signed_in("GET", "/api/leads").expect(200)

    def mails_to(self, address):
        return sum(address in recipients(mail) for mail in self.emulator.mails())

    def one_trace_leads_through(self):
        requests = self.emulator.log_lines("submit-lead")
        traces = {line.get("xray_trace_id") for line in requests if line.get("message") == "request"} - {None}
        assert traces, requests[:3]
        jobs = [line for function in ["send-mail", "sync-hubspot"] for line in self.emulator.log_lines(function)]
        of_jobs = {line.get("xray_trace_id") for line in jobs if line.get("message") == "job"}
        assert traces & of_jobs, (traces, of_jobs)

    def a_refused_mail_is_counted_and_sent_again(self):
        ses = self.emulator.client("sesv2")
        ses.delete_email_identity(EmailIdentity="example.com")
        lead = {**LEAD, "email": "ada.refused@example.com"}
        self.call("POST", "/api/leads", lead).expect(201)
        failed = lambda: self.signed_in("GET", "/api/integrations/mail/failed").expect(200).json["data"]
        mails = wait_for("two refused mails", lambda: len(failed()) >= 2 and failed())
        assert any("not verified" in mail["reason"] for mail in mails), mails
        wait_for("the metric of given-up mails", lambda: "JobsGivenUp" in self.metrics("send-mail"))
        ses.create_email_identity(EmailIdentity="example.com")
        before = len(self.emulator.mails())
        replayed = self.signed_in("POST", "/api/integrations/mail/replay", {}).expect(202).json["data"]["mails"]
        assert len(replayed) >= 2, replayed
        # The sweep sends them within a minute.
        wait_for("the refused mails", lambda: len(self.emulator.mails()) >= before + 2, 150, pause=2)
        assert self.mails_to("ada.refused@example.com") == 1

    def a_period_is_dispatched_again(self):
        before = len(self.emulator.mails())
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
        answer = self.emulator.client("lambda").invoke(
            FunctionName=f"{STACK}-dispatch", Payload=json.dumps({"redrive": {"from": since}}))
        redriven = json.loads(answer["Payload"].read())
        assert redriven["entries"] > 20 and redriven["next_from"] is None, redriven
        # Every mail of that time was sent already, and is sent once.
        time.sleep(5)
        assert len(self.emulator.mails()) == before, self.emulator.mails()[before:]

    def metrics(self, function):
        """The names of the metrics that a function wrote to its log."""
        lines = [line for line in self.emulator.log_lines(function) if "_aws" in line]
        directives = [directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"]]
        return {metric["Name"] for directive in directives for metric in directive["Metrics"]}

    def cold_starts_are_among_the_log_lines(self):
        lines = self.emulator.log_lines("submit-lead")
        cold = [line for line in lines if line.get("cold_start") is True]
        assert cold and cold[0]["function_request_id"] and "ms" in cold[0], cold


def recipients(mail):
    """The recipients of a mail in the emulator's mailbox."""
    for name in ["Destination", "destination", "To", "to"]:
        if name in mail:
            to = mail[name]
            return to.get("ToAddresses", []) if isinstance(to, dict) else to
    raise AssertionError(f"no recipients in {mail}")


def quoted(text):
    from urllib.parse import quote
    return quote(text)
