# SPDX-License-Identifier: GPL-2.0-only
"""
A proxy in front of an object store that misbehaves as it is told: faulty.py UPSTREAM-PORT FILE [CERT KEY]. Writes its
own port into FILE once it listens on 127.0.0.1, with TLS if it is given a certificate. Requests go on to the store with the Host they came with, over
which they are signed.

PUT /_fault with a JSON object sets one fault, and DELETE removes it; GET tells how often it has struck:

	method, path	of which requests: a word, or none for all, and a regular expression
	skip, times	leave out so many, then strike so often (default: always)
	action		status: answer with "status", "headers" and "body" instead of asking the store
			cut: send the answer's headers and "bytes" of its body, then close
			stall: the same, then say nothing for "seconds"
			drop: close without asking the store
			late: ask the store, and close without its answer
			wait: ask the store after "seconds", and send its answer
"""
import http.client
import io
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOT_FORWARDED = {"connection", "transfer-encoding", "expect", "keep-alive"}


class Fault:
    def __init__(self, text):
        rule = json.loads(text) if text else {}
        self.rule = rule
        self.path = re.compile(rule.get("path", ""))
        self.skip = rule.get("skip", 0)
        self.times = rule.get("times", 1 << 30)
        self.struck = 0
        self.lock = threading.Lock()

    def strikes(self, method, path):
        if not self.rule or self.rule.get("method", method) != method or not self.path.search(path):
            return False
        with self.lock:
            if self.skip:
                self.skip -= 1
                return False
            if self.struck >= self.times:
                return False
            self.struck += 1
            return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fault = Fault("")
    upstream = 0

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def control(self, body):
        if self.command == "GET":
            return self.answer(200, [], str(Handler.fault.struck).encode())
        Handler.fault = Fault(body if self.command == "PUT" else "")
        return self.answer(200, [], b"")

    def close(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def ask(self, body):
        store = http.client.HTTPConnection("127.0.0.1", Handler.upstream, timeout=60)
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in NOT_FORWARDED:
                store.putheader(name, value)
        store.endheaders(body if body else None)
        return store, store.getresponse()

    def copy_answer(self, answer, limit):
        source = answer
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in NOT_FORWARDED:
                self.send_header(name, value)
        # In chunks: with its length, so that a client sees when it is cut.
        if answer.getheader("Content-Length") is None and answer.status not in (204, 304):
            whole = answer.read()
            self.send_header("Content-Length", str(len(whole)))
            source = io.BytesIO(whole)
        self.end_headers()
        while self.command != "HEAD" and limit > 0:
            piece = source.read(min(65536, limit))
            if not piece:
                return
            self.wfile.write(piece)
            limit -= len(piece)

    def strike(self, rule, body):
        action = rule["action"]
        if action == "status":
            return self.answer(rule["status"], list(rule.get("headers", {}).items()),
                               rule.get("body", "").encode())
        if action == "wait":
            time.sleep(rule["seconds"])
            return self.pass_on(body)
        if action != "drop":
            store, answer = self.ask(body)
            if action in ("cut", "stall"):
                self.copy_answer(answer, rule.get("bytes", 0))
                self.wfile.flush()
            if action == "stall":
                time.sleep(rule.get("seconds", 5))
            store.close()
        return self.close()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/_fault":
            return self.control(body)
        fault = Handler.fault
        if fault.strikes(self.command, self.path):
            return self.strike(fault.rule, body)
        return self.pass_on(body)

    def pass_on(self, body):
        store, answer = self.ask(body)
        self.copy_answer(answer, 1 << 62)
        store.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    # A client that hangs up is what the tests are about.
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    Handler.upstream = int(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(sys.argv[2] + ".new", "w") as file:
        file.write(str(server.server_port))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    server.serve_forever()


main()
