# SPDX-License-Identifier: GPL-2.0-only
#
# What a running registry tells others: notifications to a receiver here, in distribution's envelope,
# also when either side is killed; metrics in Prometheus' text; health.

import http.server
import random
import sqlite3
import threading
import time

from registry import *

TYPE = "application/vnd.docker.distribution.events.v2+json"


class Receiver:
    """Takes events on a port of its own; with is_up False it answers 503."""

    def __init__(self, is_up=True):
        self.events = []
        self.requests = []
        self.is_up = is_up
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.is_up:
                    receiver.requests.append(dict(self.headers))
                    receiver.events += json.loads(body)["events"]
                self.send_response(200 if receiver.is_up else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a server that is killed resets its connections

        self.server = Server((HOST, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def endpoint(self, name="e", **more):
        return {"name": name, "url": f"http://{HOST}:{self.port}/events", "backoff": "50ms", "timeout": "5s", **more}

    def wait(self, count):
        wait_until(f"{count} events", lambda: len(self.events) >= count)
        return self.events

    def of(self, action):
        return [event for event in self.events if event["action"] == action]


def serve(*endpoints, **more):
    extra = {"notifications": {"endpoints": list(endpoints), **more.pop("notifications", {})}}
    return Server(extra=extra | more)


@test("a push, a pull, a mount and a deletion are told, field by field")
def fields():
    receiver = Receiver()
    with serve(receiver.endpoint(headers={"X-Key": ["k"]})) as server:
        web = server.client(**{"User-Agent": "tester/1"})
        image = web.push_image("a/b", "t", layers=[b"layer one"])
        receiver.wait(3)
        blobs, manifests = receiver.events[:2], receiver.events[2]
        assert [e["target"]["mediaType"] for e in blobs] == ["application/octet-stream"] * 2
        assert blobs[1]["target"] == {
            "mediaType": "application/octet-stream", "digest": digest(b"layer one"), "size": 9, "length": 9,
            "repository": "a/b", "url": f"http://{HOST}:{server.port}/v2/a/b/blobs/{digest(b'layer one')}"}
        assert manifests["action"] == "push" and manifests["target"] == {
            "mediaType": OCI_MANIFEST, "digest": digest(image), "size": len(image), "length": len(image),
            "repository": "a/b", "tag": "t", "url": f"http://{HOST}:{server.port}/v2/a/b/manifests/{digest(image)}"}
        request = manifests["request"]
        assert request["method"] == "PUT" and request["useragent"] == "tester/1", request
        assert request["host"] == f"{HOST}:{server.port}" and request["addr"].startswith(HOST + ":") and request["id"]
        assert manifests["actor"] == {} and manifests["id"] and manifests["timestamp"].endswith("Z")
        assert manifests["source"]["addr"].endswith(f":{server.port}") and manifests["source"]["instanceID"]
        assert receiver.requests[0]["Content-Type"] == TYPE and receiver.requests[0]["X-Key"] == "k"
        web.get("/v2/a/b/manifests/t")
        web.head("/v2/a/b/manifests/t")
        web.get("/v2/a/b/manifests/" + digest(image))
        web.get("/v2/a/b/blobs/" + digest(b"layer one"))
        web.get("/v2/a/b/blobs/" + digest(b"layer one"), Range="bytes=4-")
        assert web.post(f"/v2/c/blobs/uploads/?mount={digest(b'layer one')}&from=a/b").status == 201
        assert web.delete("/v2/a/b/manifests/t").status == 202
        assert web.delete("/v2/a/b/manifests/" + digest(image)).status == 202
        assert web.delete("/v2/a/b/blobs/" + digest(b"layer one")).status == 202
        receiver.wait(10)
    pulls, mount, deletes = receiver.of("pull"), receiver.of("mount")[0], receiver.of("delete")
    assert [e["target"].get("tag") for e in pulls] == ["t", None, None]
    assert mount["target"]["fromRepository"] == "a/b" and mount["target"]["repository"] == "c"
    assert [e["target"] for e in deletes] == [
        {"repository": "a/b", "tag": "t"}, {"repository": "a/b", "digest": digest(image)},
        {"repository": "a/b", "digest": digest(b"layer one")}]
    assert len(receiver.events) == 10 and len({e["id"] for e in receiver.events}) == 10


@test("several tags are several events, references are told when they are wanted, what fails is not told")
def tags():
    receiver = Receiver()
    with serve(receiver.endpoint(ignore={"mediatypes": ["application/octet-stream"]}),
               notifications={"events": {"includereferences": True}}) as server:
        web = server.client()
        data = web.make_image("a", layers=[b"x"])
        assert web.push_manifest("a", digest(data) + "?tag=one&tag=two", data).status == 201
        assert web.push_manifest("a", "bad", b"{}").status == 400
        assert web.get("/v2/a/manifests/none").status == 404
        receiver.wait(2)
    assert [e["target"]["tag"] for e in receiver.events] == ["one", "two"]
    manifest = json.loads(data)
    assert receiver.events[0]["target"]["references"] == [manifest["config"], *manifest["layers"]]


@test("who logged in is the actor")
def actor():
    receiver = Receiver()
    with serve(receiver.endpoint(), auth={"htpasswd": {"realm": "r", "path": passwords()}}) as server:
        server.client(Authorization="Basic Ym9iOnNlY3JldA==").push_blob("a", b"x")
        receiver.wait(1)
    assert receiver.events[0]["actor"] == {"name": "bob"}


def passwords():
    path = scratch() + "/htpasswd"
    with open(path, "w") as file:
        file.write("bob:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n")
    return path


@test("an endpoint that is down gets everything in order when it is up, the other one at once")
def down():
    up, late = Receiver(), Receiver(is_up=False)
    with serve(up.endpoint("up"), late.endpoint("late")) as server:
        web = server.client()
        for number in range(30):
            web.push_blob("a", b"%d" % number)
        up.wait(30)
        assert not late.events
        late.is_up = True
        late.wait(30)
    wanted = [digest(b"%d" % number) for number in range(30)]
    assert [e["target"]["digest"] for e in up.events] == wanted
    assert [e["target"]["digest"] for e in late.events] == wanted
    assert "late" in server.read_log() and "status 503" in server.read_log()


@test("a drain sends what waits, and what cannot be sent is sent after the next start")
def drain():
    receiver = Receiver()
    server = serve(receiver.endpoint())
    with server:
        for number in range(20):
            server.client().push_blob("a", b"%d" % number)
    assert len(receiver.events) == 20, len(receiver.events)
    receiver.is_up = False
    with server:
        for number in range(20, 30):
            server.client().push_blob("a", b"%d" % number)
    assert server.process.returncode == 0 and len(receiver.events) == 20
    receiver.is_up = True
    with server:
        receiver.wait(30)
    assert [e["target"]["digest"] for e in receiver.events] == [digest(b"%d" % n) for n in range(30)]


@test("what was acknowledged before a kill is told after the next start, at twelve moments")
def killed():
    receiver = Receiver(is_up=False)
    server = serve(receiver.endpoint())
    acknowledged = []
    lock = threading.Lock()

    def push(first):
        web = server.client()
        for number in range(first, first + 500):
            try:
                name = web.push_blob("a", b"%d" % number)
            except (OSError, http.client.HTTPException, AssertionError):
                return
            with lock:
                acknowledged.append(name)

    for round in range(12):
        server.start()
        threads = [threading.Thread(target=push, args=(100000 * round + 1000 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.02, 0.3))
        server.kill()
        for thread in threads:
            thread.join(60)
    receiver.is_up = True
    with server:
        wait_until("all events", lambda: set(acknowledged) <= {e["target"]["digest"] for e in list(receiver.events)}, 60)
    assert len(acknowledged) > 12, len(acknowledged)
    print(f"# {len(acknowledged)} pushes acknowledged, {len(receiver.events)} events")


@test("a push whose event cannot be kept is not acknowledged, a pull is")
def unwritable():
    receiver = Receiver()
    path = scratch() + "/queue.db"
    with serve(receiver.endpoint(), notifications={"queue": path}) as server:
        web = server.client()
        web.push_blob("a", b"one")
        receiver.wait(1)
        other = sqlite3.connect(path, isolation_level=None)
        # What was delivered is taken out after that; kept from it, the server would deliver it again.
        wait_until("the queue", lambda: not other.execute("SELECT count(*) FROM event").fetchone()[0])
        other.execute("BEGIN IMMEDIATE")
        answer = web.post(f"/v2/a/blobs/uploads/?digest={digest(b'two')}", b"two")
        assert answer.status == 503 and answer["Retry-After"], answer.status
        assert web.get("/v2/a/blobs/" + digest(b"one")).status == 200
        other.execute("ROLLBACK")
        web.push_blob("a", b"two")
        receiver.wait(2)
    assert receiver.events[1]["target"]["digest"] == digest(b"two")
    assert "event queue" in server.read_log()


@test("metrics are at the debug address only, under distribution's names")
def metrics():
    port = free_port()
    extra = {"http": {"debug": {"addr": f"{HOST}:{port}", "prometheus": {"enabled": True}}}}
    receiver = Receiver()
    extra["notifications"] = {"endpoints": [receiver.endpoint("sink")]}
    with Server(extra=extra) as server:
        web = server.client()
        web.push_image("a", "t")
        web.get("/v2/a/manifests/t")
        web.get("/v2/a/manifests/t")
        web.get("/v2/a/manifests/none")
        web.request("BREW", "/v2/")
        receiver.wait(5)
        wait_until("the last request to be counted", lambda: "method=\"unknown\"} 1" in fetch(port))
        text = fetch(port)
        assert web.get("/metrics").status == 404
    for line in ('registry_http_requests_total{handler="manifest",code="201",method="put"} 1',
                 'registry_http_requests_total{handler="manifest",code="200",method="get"} 2',
                 'registry_http_requests_total{handler="manifest",code="404",method="get"} 1',
                 'registry_http_in_flight_requests{handler="manifest"} 0',
                 'registry_http_request_duration_seconds_count{handler="manifest",method="get"} 3',
                 'registry_http_response_size_bytes_bucket{handler="manifest",le="+Inf"} 4',
                 'registry_notifications_events_total{type="Successes",endpoint="sink"} 5',
                 'registry_notifications_pending_total{endpoint="sink"} 0',
                 'registry_auth_decisions_total{verdict="allowed"} 6'):
        assert line + "\n" in text, line
    assert 'registry_storage_action_seconds_count{driver="filesystem",action="Stat"}' in text
    assert "registry_storage_cache_requests_total " in text and "process_resident_memory_bytes " in text
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? [-+0-9.eE]+', line), line


def fetch(port, path="/metrics"):
    answer = Client(port).get(path)
    assert answer.status == 200, answer.status
    return answer.body.decode()


@test("health is at the debug address, and metrics are not where they are not enabled")
def health():
    port = free_port()
    with Server(extra={"http": {"debug": {"addr": f"{HOST}:{port}"}}}):
        assert fetch(port, "/debug/health") == "{}"
        assert Client(port).get("/metrics").status == 404
        assert Client(port).get("/v2/").status == 404
        assert Client(port).post("/debug/health", b"x").status == 405


@table("a configuration of notifications that cannot work is refused at the start", [
    ("url", {"endpoints": [{"name": "e", "url": "ftp://x/"}]}, "neither http"),
    ("key", {"endpoints": [{"name": "e", "url": "http://x/", "retry": 1}]}, "unknown key 'retry'"),
    ("queue", {"endpoints": [{"name": "e", "url": "http://x/"}], "queue": "/nowhere/q.db"}, "event queue"),
])
def refused(tree, why):
    try:
        Server(extra={"notifications": tree}).start()
    except AssertionError as error:
        assert why in str(error), error
    else:
        raise AssertionError("the server started")


if __name__ == "__main__":
    main()
