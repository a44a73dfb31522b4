"""The emulator of AWS and the fakes of other systems: starts them, deploys to them and stops them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

ACCOUNT = "000000000000"
REGION = "us-east-1"
STACK = "crm"
ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, check, seconds=60.0, pause=0.2):
    """Waits until `check` returns a truthy value and returns it; fails after the time-out."""
    until = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, status):
        if self.status != status:
            raise AssertionError(f"answered {self.status} instead of {status}: {self.body[:600].decode(errors='replace')}")
        return self


def request(method, url, body=None, headers=None):
    data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        headers.setdefault("content-type", "application/json")
    call = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(call, timeout=60) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def role_of(emulator, function):
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")
    return configuration["Role"].rsplit("/", 1)[1]


def inline_policies(iam, role):
    """The policies of a role, by name, as documents."""
    found = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        found[name] = json.loads(document) if isinstance(document, str) else document
    return found


class Emulator:
    """MiniStack with IAM enforced: every caller but the root keys has only the rights of its role."""

    def __init__(self, temp):
        self.temp = Path(temp)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes = []
        self.log = open(self.temp / "emulator.log", "w")
        surroundings = {
            "PATH": os.environ["PATH"], "HOME": str(self.temp), "TMPDIR": str(self.temp), "AUTH": "true",
            "GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "AWS_ENDPOINT_URL": self.url,
        }
        program = Path(sys.executable).parent / "ministack"
        self.processes.append(subprocess.Popen([program], env=surroundings, cwd=self.temp, stdout=self.log, stderr=self.log))
        wait_for("the emulator", self._answers)

    def _answers(self):
        try:
            return request("GET", f"{self.url}/_ministack/health").status == 200
        except OSError:
            return False

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="test",
            aws_secret_access_key="test", config=Config(retries={"max_attempts": 0}),
        )

    def fake_hubspot(self):
        """Starts the fake HubSpot; returns its token and address."""
        program = Path(os.environ["CARGO_TARGET_DIR"]) / "debug" / "fake-hubspot"
        started = subprocess.Popen([program, "--port", "0"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.processes.append(started)
        lines = [started.stdout.readline().strip().split("=", 1) for _ in range(2)]
        values = dict(lines)
        return values["HUBSPOT_ACCESS_TOKEN"], values["HUBSPOT_BASE_URL"]

    def deploy(self, build, overrides):
        """`sam deploy`, with only the parameters that the README names."""
        surroundings = {
            **os.environ, "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [
            "sam", "deploy", "--config-file", f"{ROOT}/samconfig.toml", "--template-file", f"{build}/template.yaml",
            "--stack-name", STACK, "--no-progressbar",
            "--parameter-overrides", *[f"{name}={json.dumps(value)}" for name, value in overrides.items()],
        ]
        done = subprocess.run(command, env=surroundings, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            failed = [line for line in done.stdout.splitlines() if "FAILED" in line]
            raise AssertionError("\n".join(["sam deploy failed:", *failed, done.stdout[-2000:], done.stderr[-2000:]]))

    def connect_routes(self):
        """Makes the routes and integrations that SAM puts into the API's OpenAPI body, which the emulator ignores."""
        template = self.client("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
        if isinstance(template, str):
            template = json.loads(template)
        api = self.outputs()["ApiId"]
        gateway = self.client("apigatewayv2")
        integrations, count = {}, 0
        for path, methods in template["Resources"]["Api"]["Properties"]["Body"]["paths"].items():
            for method, operation in methods.items():
                function = re.search(r"\$\{(\w+)Function\.Arn\}", json.dumps(operation)).group(1)
                if function not in integrations:
                    name = template["Resources"][f"{function}Function"]["Properties"]["FunctionName"]
                    name = name if isinstance(name, str) else name["Fn::Sub"].replace("${AWS::StackName}", STACK)
                    integrations[function] = gateway.create_integration(
                        ApiId=api, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0",
                        IntegrationUri=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
                    )["IntegrationId"]
                is_default = path.lstrip("/") == "$default"
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                key = "$default" if is_default else f"{verb} {path}"
                gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integrations[function]}")
                count += 1
        return count

    def reach_connections(self):
        """Gives the functions that send to sockets the emulator's address of connections, instead of API Gateway's."""
        functions, url = self.client("lambda"), f"{self.url}/_aws/execute-api/{self.outputs()['SocketApiId']}/test"
        for name in ["chat", "chat-socket", "chat-stream", "chat-run", "notify"]:
            name = f"{STACK}-{name}"
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables = {**variables, "CONNECTIONS_URL": url}
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    def name_no_identity(self):
        """Lets send-mail's right to send name no identity: the emulator asks for it without naming one itself."""
        iam = self.client("iam")
        role = role_of(self, "send-mail")
        for name, document in inline_policies(iam, role).items():
            for statement in document["Statement"]:
                if statement["Action"] == "ses:SendEmail":
                    statement["Resource"] = "*"
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

    def lock_anchors(self):
        """Locks the anchors' bucket as the template says: the emulator makes buckets without a lock."""
        formation, s3 = self.client("cloudformation"), self.client("s3")
        template = formation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
        template = template if isinstance(template, dict) else json.loads(template)
        retention = template["Resources"]["AnchorsBucket"]["Properties"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
        bucket = formation.describe_stack_resource(StackName=STACK, LogicalResourceId="AnchorsBucket")
        bucket = bucket["StackResourceDetail"]["PhysicalResourceId"]
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": int(retention["Days"])}}
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)

    def outputs(self):
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def mails(self):
        """Every mail that SES accepted, the oldest first."""
        accounts = request("GET", f"{self.url}/_ministack/ses/messages").json
        return accounts["messages"][ACCOUNT] if ACCOUNT in accounts.get("messages", {}) else []

    def log_lines(self, function):
        """A function's log lines that are JSON."""
        events = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{STACK}-{function}")["events"]
        lines = []
        for event in events:
            for line in event["message"].splitlines():
                if line.lstrip().startswith("{"):
                    lines.append(json.loads(line))
        return lines

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.log.close()
