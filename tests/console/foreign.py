"""A site of somebody else, in the same browser."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def site(**pages):
    """Serves `pages` (HTML by name) at 127.0.0.1, which for a browser is another site than localhost. Yields its URL, and what the pages
    have sent back: the bodies of what was posted to it."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page = pages.get(self.path.strip("/"))
            self.send_response(404 if page is None else 200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((page or "").encode())

        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
