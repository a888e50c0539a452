"""Runs in the box: asks a daemon every 5 ms on a new connection, until it reads a line; says how
often it was answered, and each error."""

import json
import select
import sys
import time

from codelocd.client import Client

answered, errors, slowest = 0, [], 0.0
print("begins", flush=True)
while not (answered and select.select([sys.stdin], [], [], 0.005)[0]):
    began = time.monotonic()
    try:
        with Client(sys.argv[1], timeout=60, foreign=True) as client:
            client.call("hello", timeout=60)
    except Exception as error:
        errors.append(str(error))
    else:
        answered += 1
        slowest = max(slowest, time.monotonic() - began)
print(json.dumps({"answered": answered, "errors": errors, "slowest": slowest}), flush=True)
