"""End-to-end test: deploys to the emulator, runs the journey, and repeats parts of it with single rights removed."""

import argparse
import sys
import time

from emulator import ACCOUNT, REGION, Emulator
from journey import Journey
from rights import without_right

SECRET = "first:0123456789abcdef0123456789abcdef"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--temp", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    emulator = Emulator(arguments.temp)
    try:
        began = time.monotonic()
        print("== sam deploy", flush=True)
        overrides, hubspot = prerequisites(emulator)
        emulator.deploy(arguments.build, {**overrides, "Architecture": arguments.architecture})
        routes = emulator.connect_routes()
        emulator.reach_connections()
        emulator.name_no_identity()
        emulator.lock_anchors()
        print(f"   deployed in {time.monotonic() - began:.0f} s, {routes} routes", flush=True)
        journey = Journey(emulator, hubspot)
        journey.go()
        without_right(journey)
        print(f"all passed, {time.monotonic() - began:.0f} s after the build", flush=True)
        if arguments.keep:
            print(f"{journey.base}/ until Ctrl-C", flush=True)
            while True:
                time.sleep(60)
    except KeyboardInterrupt:
        pass
    except Exception:
        print((emulator.temp / "emulator.log").read_text()[-6000:], file=sys.stderr)
        raise
    finally:
        emulator.stop()


def prerequisites(emulator):
    """The README's steps before a deployment: secrets, and a verified sender identity."""
    token, address = emulator.fake_hubspot()
    ssm = emulator.client("ssm")
    ssm.put_parameter(Name="/daybook/jwt-secret", Type="SecureString", Value=SECRET)
    ssm.put_parameter(Name="/daybook/owner-code", Type="SecureString", Value="0123456789abcdef")
    ssm.put_parameter(Name="/daybook/hubspot-token", Type="SecureString", Value=token)
    emulator.client("sesv2").create_email_identity(EmailIdentity="example.com")
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/daybook"
    overrides = {
        "Stage": "test", "OwnerEmail": "owner@example.com", "TeamEmail": "team@example.com",
        "MailFrom": "Daybook <crm@example.com>", "MailIdentity": "example.com",
        "JwtSecretArn": f"{parameter}/jwt-secret", "HubSpotTokenArn": f"{parameter}/hubspot-token",
        "OwnerCodeArn": f"{parameter}/owner-code", "HubSpotBaseUrl": address, "AllowedOrigins": "https://app.example.com", "BucketPolicies": "none",
    }
    return overrides, address


if __name__ == "__main__":
    main()
