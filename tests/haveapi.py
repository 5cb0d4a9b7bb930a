"""A server that speaks HaveAPI's envelope, paging and errors over real HTTP, with the resources that vpsAdmin has."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAMES = {
    "users": "user",
    "vpses": "vps",
    "nodes": "node",
    "networks": "network",
    "network_interfaces": "network_interface",
    "ip_addresses": "ip_address",
    "exports": "export",
    "datasets": "dataset",
}


@dataclass
class Vpsadmin:
    """`rows` of each resource, the `token` that is asked for; `faults` are (status, body) of the next answers."""

    rows: dict = field(default_factory=lambda: {name: [] for name in NAMES})
    token: str = "secret"
    faults: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def answer(self, path, token):
        """The status and body of an answer."""
        parts = urlsplit(path)
        self.asked.append(path)
        if self.faults:
            return self.faults.pop(0)
        if token != f"Bearer {self.token}":
            return 401, {"status": False, "message": "Action requires user to authenticate"}
        resource = parts.path.removeprefix("/v7.0/")
        if resource not in NAMES:
            return 404, {"status": False, "message": "Action not found"}
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = NAMES[resource]
        known = {f"{name}[{what}]" for what in ("limit", *(["role"] if resource == "datasets" else ["from_id"]))}
        if extra := given.keys() - known:
            return 200, {"status": False, "message": "input parameters not valid", "errors": {str(extra): ["unknown"]}}
        limit = int(given.get(f"{name}[limit]", 25))
        if resource == "datasets":
            role = given.get("dataset[role]")
            rows = [row for row in self.rows[resource] if role in (None, row["role"])]
            rows = sorted(rows, key=lambda row: row["name"])[:limit]
        else:
            rows = sorted(self.rows[resource], key=lambda row: row["id"])
            rows = [row for row in rows if row["id"] > int(given.get(f"{name}[from_id]", 0))][:limit]
        return 200, {"status": True, "response": {resource: rows, "_meta": {}}, "message": None, "errors": None}


@contextmanager
def serving(api):
    """The address at which the API answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, said = api.answer(self.path, self.headers.get("Authorization"))
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", said)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v7.0"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
