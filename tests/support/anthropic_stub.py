"""An upstream that answers `/v1/messages` as Anthropic does, at once or as a stream, or is overloaded."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "input_tokens": 20,
    "cache_read_input_tokens": 1_000,
    "cache_creation_input_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 100},
}
OUTPUT_TOKENS = 50
# Sonnet 4.6, dollars a million: 20 at 3, 1,000 at 0.30, 300 at 3.75, 100 at 6, 50 at 15.
COST_USD = "0.002835"
_TEXT = "Good morning"


class Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests = 0
        self.is_overloaded = False
        # A stream stops before its end until this is set.
        self.may_end = threading.Event()
        self.may_end.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests += 1
        if self.server.is_overloaded:
            error = {"type": "overloaded_error", "message": "Overloaded"}
            self._send(529, "application/json", json.dumps({"type": "error", "error": error}))
        elif asked.get("stream"):
            self._stream(asked["model"])
        else:
            content = [{"type": "text", "text": _TEXT}]
            usage = {**USAGE, "output_tokens": OUTPUT_TOKENS}
            body = {**_message(asked["model"]), "content": content, "stop_reason": "end_turn", "usage": usage}
            self._send(200, "application/json", json.dumps(body))

    def _stream(self, model: str) -> None:
        """Without a length: the stream ends with its connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in _events(model):
            if event["type"] == "message_delta":
                self.server.may_end.wait()
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *_: Any) -> None:
        """A test needs no access log."""

    def _send(self, status: int, content_type: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _message(model: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**USAGE, "output_tokens": 1},
    }


def _events(model: str) -> list[dict[str, Any]]:
    text = {"type": "text_delta", "text": _TEXT}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": _message(model)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": OUTPUT_TOKENS}},
        {"type": "message_stop"},
    ]
