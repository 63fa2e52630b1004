"""A proxy in front of a store that makes each answer late and counts what was asked."""

import collections
import http.client
import http.server
import threading
import time
import urllib.parse


class Delay:
    """Listens on a free port of 127.0.0.1 while it is entered."""

    def __init__(self, endpoint: str):
        self._behind = urllib.parse.urlsplit(endpoint)
        self.late_ms = 0.0
        self._lock, self._asked = threading.Lock(), collections.Counter()
        self._stored, self._sent = [], 0

    def __enter__(self) -> "Delay":
        delay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A head and a body in two segments wait 40 ms for an acknowledgement in between.
            disable_nagle_algorithm = True
            wbufsize = -1

            def _pass(self):
                delay._pass(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that is killed leaves its connection as it is.
        self._server.handle_error = lambda *_: None
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> dict[str, int]:
        """What was asked since the last time."""
        with self._lock:
            asked, self._asked = self._asked, collections.Counter()
            self._stored, self._sent = [], 0
        return dict(sorted(asked.items()))

    def stored(self, piece: str, ending: str) -> list[float]:
        """When puts of such keys were answered with yes since then."""
        with self._lock:
            return [at for at, key in self._stored if piece in key and key.endswith(ending)]

    def sent_bytes(self) -> int:
        """Bodies of requests since then."""
        with self._lock:
            return self._sent

    def _pass(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        query = urllib.parse.urlsplit(handler.path).query
        what = "LIST" if "list-type=2" in query or "prefix=" in query else handler.command
        with self._lock:
            self._asked[what] += 1
            self._sent += len(body)
        # The way there and the way back together; what the server needs comes on top.
        time.sleep(self.late_ms / 1000)
        behind = http.client.HTTPConnection(self._behind.hostname, self._behind.port, timeout=60)
        headers = {k: v for k, v in handler.headers.items() if k.lower() != "connection"}
        behind.request(handler.command, handler.path, body, headers)
        answer = behind.getresponse()
        data = answer.read()
        if handler.command == "PUT" and answer.status == 200:
            with self._lock:
                key = urllib.parse.unquote(urllib.parse.urlsplit(handler.path).path)
                self._stored.append((time.perf_counter(), key))
        handler.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                handler.send_header(name, value)
        length = answer.getheader("content-length") if handler.command == "HEAD" else len(data)
        handler.send_header("content-length", str(length or 0))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)
        handler.wfile.flush()
        behind.close()
