"""Prints every location's state, then one event. Usage: python status.py CONTROL-SOCKET"""

import os
import socket
import sys

import msgpack

path = sys.argv[1] if len(sys.argv) > 1 else os.environ["CODELOCD_SOCKET"]
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect(path)
connection.sendall(msgpack.packb([0, 1, "status", []]))

for message in msgpack.Unpacker(connection.makefile("rb", buffering=0)):
    if message[0] == 1:
        _, number, error, result = message
        if error:
            sys.exit(f"{error['kind']}: {error['message']}")
        if number == 1:  # answers come in the order in which they are ready: so one at a time
            for location in result["locations"]:
                print(location["name"], location["state"])
            connection.sendall(msgpack.packb([0, 2, "subscribe", [{"topics": ["status"]}]]))
    elif message[1] == "event":
        (event,) = message[2]
        what = "the full state" if event["data"].get("full") else event["data"]["event"]["event"]
        print(f"event {event['seq']} of {event['topic']}: {what}")
        break
