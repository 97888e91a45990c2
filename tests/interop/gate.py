"""A registry of one layout, plain http on loopback, that gives out its layers as a test wants it: held
back after a part, or in small pieces. It says when a client has gone."""
import http.server
import json
import threading


class Gate:
    """`hold`: bytes of a layer that are sent before it waits for `release()`. `pieces`: seconds between
    two pieces of 64 KiB."""

    def __init__(self, layout, hold=None, pieces=None):
        self.layout, self.hold, self.pieces = layout, hold, pieces
        self.asked = []  # what was asked for
        self.holding = threading.Event()  # a layer is held back now
        self.gone = threading.Event()  # who waited for one has closed the connection
        self._go = threading.Event()

    def release(self):
        self._go.set()

    def __enter__(self):
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                gate.asked.append(self.path)
                gate.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.at = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.release()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def find(self, path):
        """Bytes and type of what /v2/NAME/manifests/TAG or /v2/NAME/blobs/DIGEST is."""
        kind, what = path.split("/")[-2:]
        if kind == "manifests" and ":" not in what:
            with open(f"{self.layout.path}/index.json") as f:
                named = {m["annotations"]["org.opencontainers.image.ref.name"]: m
                         for m in json.load(f)["manifests"]}
            what = named[what]["digest"]
        with open(f"{self.layout.path}/blobs/{what.replace(':', '/')}", "rb") as f:
            data = f.read()
        return data, json.loads(data)["mediaType"] if kind == "manifests" else "application/octet-stream"

    def answer(self, to):
        if to.path == "/v2/":
            data, kind = b"{}", "application/json"
        else:
            data, kind = self.find(to.path)
        to.send_response(200)
        to.send_header("Content-Type", kind)
        to.send_header("Content-Length", str(len(data)))
        to.end_headers()
        try:
            self.send(to, data, "/blobs/" in to.path and data[:1] != b"{")
        except OSError:
            self.gone.set()
            to.close_connection = True

    def send(self, to, data, layer):
        if layer and self.hold is not None and not self._go.is_set():
            to.wfile.write(data[: self.hold])
            to.wfile.flush()
            self.holding.set()
            self.wait_for_end_of(to)
            self._go.wait()
            to.wfile.write(data[self.hold:])
        elif layer and self.pieces is not None:
            for at in range(0, len(data), 1 << 16):
                to.wfile.write(data[at:at + (1 << 16)])
                threading.Event().wait(self.pieces)
        else:
            to.wfile.write(data)

    def wait_for_end_of(self, to):
        """In another thread: who asked says nothing more, so that what comes is the end."""
        def watch():
            try:
                if not to.connection.recv(1):
                    self.gone.set()
            except OSError:
                self.gone.set()

        threading.Thread(target=watch, daemon=True).start()
