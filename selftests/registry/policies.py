# SPDX-License-Identifier: GPL-2.0-only
#
# Retention of a running registry and by its verb: what is taken and what is not, dry runs, events, and pushes
# beside it. Quotas: what is refused and how it reads, what is freed, many clients at once, and kill -9.

import http.server
import threading

from registry import *

REPOS = "docker/registry/v2/repositories"


class Receiver(http.server.ThreadingHTTPServer):
    """An endpoint of notifications that keeps what it gets."""
    daemon_threads = True

    def __init__(self):
        super().__init__((HOST, 0), Receiver.Handler)
        self.events = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def config(self):
        return {"notifications": {"endpoints": [{"name": "test", "url": f"http://{HOST}:{self.server_port}/"}]}}

    def deleted(self):
        return [event for event in self.events if event["action"] == "delete"]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.events += json.loads(body)["events"]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()


def set_age(server, repo, seconds, tag=None, manifest=None):
    """Makes a tag or a manifest look that old."""
    what = f"tags/{tag}/current" if tag else f"revisions/sha256/{manifest[7:]}"
    then = time.time() - seconds
    os.utime(f"{server.root}/{REPOS}/{repo}/_manifests/{what}/link", (then, then))


def rules(*list, **more):
    return {"shale": {"retention": {"rules": [*list], **more}}}


def tags(server, repo):
    answer = server.client().get(f"/v2/{repo}/tags/list")
    return answer.json()["tags"] if answer.status == 200 else None


# --- retention

KEEP_TWO = {"repositories": ["team/*"], "keep": {"last": 2, "tags": ["v*"]}, "untagged": "1h"}


@test("retention keeps the last tags and those of a name, and says first what it would take")
def retention_verb():
    with Server(extra=rules(KEEP_TWO)) as server:
        web = server.client()
        images = {}
        for age, tag in enumerate(["e", "d", "v1", "c", "b", "a"]):
            images[tag] = web.push_image("team/app", tag, layers=(tag.encode(),))
            set_age(server, "team/app", 1000 * (9 - age), tag)
        web.push_image("other", "old")
        set_age(server, "other", 999999, "old")
        done = server.verb("retention", "--dry-run")
        assert done.returncode == 0, done.stderr
        said = {line.split()[3].rstrip(",") for line in done.stdout.splitlines() if line.startswith("would take tag")}
        assert said == {f"team/app:{t}" for t in "edc"}, done.stdout
        assert tags(server, "team/app") == sorted(images)
        done = server.verb("retention")
        assert done.returncode == 1 and "another server uses it" in done.stderr, done.stderr
        server.stop()
        for image in images.values():
            set_age(server, "team/app", 9999, manifest=digest(image))
        done = server.verb("retention")
        assert done.returncode == 0 and "3 tags and 3 manifests taken" in done.stdout, done.stdout
        server.start()
        assert tags(server, "team/app") == ["a", "b", "v1"] and tags(server, "other") == ["old"]
        for tag, image in images.items():
            answer = server.client().get(f"/v2/team/app/manifests/{digest(image)}")
            assert (answer.status == 200) == (tag in ("a", "b", "v1")), (tag, answer.status)
        assert "0 tags and 0 manifests" in server.verb("retention", "--dry-run").stdout


@test("what a kept index refers to stays, and signatures stay with what they sign")
def retention_children():
    rule = {"repositories": ["**"], "keep": {"tags": ["all"]}, "untagged": "0s"}
    with Server(extra=rules(rule)) as server:
        web = server.client()
        child = web.push_image("a", "child", layers=(b"child",))
        lone = web.push_image("a", "lone", layers=(b"lone",))
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX,
                            "manifests": [descriptor(child, OCI_MANIFEST)]}).encode()
        assert web.push_manifest("a", "all", index, OCI_INDEX).status == 201
        sig = web.push_image("a", f"sha256-{digest(child)[7:]}.sig", layers=(b"sig",))
        about = web.make_image("a", layers=(b"about",), subject=descriptor(child, OCI_MANIFEST))
        web.push_manifest("a", None, about)
        server.stop()
        time.sleep(1.1)
        done = server.verb("retention")
        assert done.returncode == 0 and "2 tags and 1 manifests taken" in done.stdout, done.stdout
        server.start()
        web = server.client()
        for manifest, is_there in ((child, 1), (index, 1), (sig, 1), (about, 1), (lone, 0)):
            assert (web.get(f"/v2/a/manifests/{digest(manifest)}").status == 200) == is_there, manifest
        server.stop()
        assert server.verb("check").returncode == 0


@test("a running server applies the rules by itself, and tells what it deletes")
def retention_online():
    receiver = Receiver()
    rule = {"repositories": ["**"], "keep": {"younger": "1h"}}
    extra = rules(rule, enabled=True, interval="1s")
    merge(extra, receiver.config())
    with Server(extra=extra) as server:
        web = server.client()
        web.push_image("a", "old", layers=(b"1",))
        web.push_image("a", "new", layers=(b"2",))
        set_age(server, "a", 7200, "old")
        wait_until("the tag", lambda: tags(server, "a") == ["new"])
        wait_until("the event", receiver.deleted)
        event = receiver.deleted()[0]
        assert event["target"] == {"repository": "a", "tag": "old"}, event
        assert event["actor"]["name"] == "shale-registry"
        assert "took tag a:old" in server.read_log()


@test("the verb's deletions are told by the verb, or by the next server")
def retention_events():
    receiver = Receiver()
    extra = rules({"repositories": ["**"], "keep": {"younger": "1h"}})
    port = free_port()
    merge(extra, {"notifications": {"endpoints": [
        {"name": "test", "url": f"http://{HOST}:{receiver.server_port}/"},
        {"name": "gone", "url": f"http://{HOST}:{port}/", "backoff": "1s"}]}})
    with Server(extra=extra) as server:
        server.client().push_image("a", "old")
        set_age(server, "a", 7200, "old")
        server.stop()
        assert server.verb("retention").returncode == 0
        wait_until("the event", receiver.deleted)
        late = Receiver.__new__(Receiver)
        http.server.ThreadingHTTPServer.__init__(late, (HOST, port), Receiver.Handler)
        late.events = []
        threading.Thread(target=late.serve_forever, daemon=True).start()
        server.start()
        wait_until("the event", late.deleted)


@test("dryrun in the configuration takes nothing")
def retention_dry():
    rule = {"repositories": ["**"], "keep": {"younger": "1h"}}
    with Server(extra=rules(rule, enabled=True, interval="1s", dryrun=True)) as server:
        server.client().push_image("a", "old")
        set_age(server, "a", 7200, "old")
        wait_until("a run", lambda: "would take tag a:old" in server.read_log())
        assert tags(server, "a") == ["old"]


@test("pushes beside retention lose no tag that was just pushed")
def retention_beside():
    rule = {"repositories": ["**"], "keep": {"last": 3}, "untagged": "0s"}
    with Server(extra=rules(rule, enabled=True, interval="1s")) as server:
        broken, pushed = [], []
        stop = threading.Event()

        def push(number):
            client = server.client()
            n = 0
            while not stop.is_set():
                n += 1
                data = client.push_image(f"p{number}", f"t{n % 7}", layers=(os.urandom(10),))
                # What was pushed last is one of the last three until two others came.
                answer = client.get(f"/v2/p{number}/manifests/t{n % 7}")
                if answer.body != data:
                    broken.append((number, n, answer.status))
                pushed.append(n)
                time.sleep(0.05)
        threads = [threading.Thread(target=push, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        wait_until("runs that took something", lambda: len(pushed) > 20 and "took tag" in server.read_log() and
                   server.read_log().count("tags kept") >= 3, 60)
        stop.set()
        for thread in threads:
            thread.join()
        assert not broken, broken[:3]
        server.stop()
        check = server.verb("check")
        assert check.returncode == 0, check.stdout


@table("wrong rules stop the server and say which", [
    ("key", {"repositories": ["a"], "keeps": {}}, "rules[0]: there is no key 'keeps'"),
    ("nothing", {"repositories": ["a"], "keep": {}}, "keeps nothing"),
    ("duration", {"repositories": ["a"], "untagged": "soon"}, "duration"),
])
def retention_wrong(rule, says):
    server = Server(extra=rules(rule))
    done = server.verb("retention", "--dry-run")
    assert done.returncode == 1 and says in done.stderr, done.stderr


# --- quotas

def quotas(*list, **more):
    extra = {"shale": {"quotas": [*list]},
             "http": {"debug": {"addr": f"{HOST}:{free_port()}", "prometheus": {"enabled": True}}}}
    merge(extra, more)
    return extra


def gauge(server, name):
    port = int(server.config["http"]["debug"]["addr"].split(":")[1])
    found = re.search(rf"^registry_quota_{re.escape(name)} (\S+)$", Client(port).get("/metrics").body.decode(), re.M)
    return int(float(found.group(1))) if found else None


def used(server):
    """What the verb prints: {namespace: (bytes, repositories)}."""
    done = server.verb("quota")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return {row[0]: (int(row[1]), int(row[3])) for row in rows}


def post(client, repo, data):
    return client.post(f"/v2/{repo}/blobs/uploads/?digest={digest(data)}", data)


def is_refused(answer):
    return answer.status == 403 and answer.code() == "DENIED" and "quota of" in answer.json()["errors"][0]["message"]


@test("what does not fit is refused before it is written, in every way of pushing")
def quota_bytes():
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"})) as server:
        web = server.client()
        first, second = os.urandom(600000), os.urandom(600000)
        web.push_blob("team/a", first)
        answer = post(web, "team/b", second)
        assert is_refused(answer), (answer.status, answer.body)
        message = answer.json()["errors"][0]["message"]
        assert message == ("the quota of 'team' is 1000000 bytes: 600000 are used, 0 reserved by uploads, "
                           "and 600000 more do not fit"), message
        # Chunked, in sessions with and without a length, and by the last request.
        where = web.post("/v2/team/b/blobs/uploads/")["Location"]
        assert is_refused(web.patch(where, second))
        assert is_refused(web.patch(where, iter([second[i:i + 50000] for i in range(0, len(second), 50000)])))
        size = int(web.get(where)["Range"].split("-")[1]) + 1
        assert size <= 400000, size
        assert is_refused(post(web, "team/b", second[:400001 - size])), "the session's bytes are reserved"
        assert web.delete(where).status == 204
        where = web.post("/v2/team/b/blobs/uploads/")["Location"]
        assert is_refused(web.put(where + "?digest=" + digest(second), second))
        assert web.push_blob("team/b", second[:400000])
        assert web.push_blob("other", second)
        assert gauge(server, 'used_bytes{namespace="team"}') == 1000000
        assert gauge(server, 'limit_bytes{namespace="team"}') == 1000000
        assert gauge(server, 'reserved_bytes{namespace="team"}') == 0
        assert gauge(server, 'refusals_total{namespace="team"}') >= 5
        # A manifest counts, too.
        assert is_refused(web.push_manifest("team/a", "t", json.dumps({"schemaVersion": 2, "manifests": []}).encode(), OCI_INDEX))
        assert web.get("/v2/team/a/tags/list").json()["tags"] == []
        assert used(server) == {"team": (1000000, 2), "other": (600000, 1)}


@test("a blob counts once for a namespace, and pushing or mounting it again is free")
def quota_once():
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"})) as server:
        web = server.client()
        data = os.urandom(900000)
        web.push_blob("team/a", data)
        web.push_blob("team/b", data)
        answer = web.post(f"/v2/team/c/blobs/uploads/?mount={digest(data)}&from=team/a")
        assert answer.status == 201, answer.body
        assert used(server) == {"team": (900000, 3)}
        web.push_blob("other/a", data)
        more = os.urandom(200000)
        web.push_blob("third/a", more)
        assert is_refused(web.post(f"/v2/other/a/blobs/uploads/?mount={digest(more)}&from=third/a"))


@test("deletions and the collector give back")
def quota_freed():
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"}, shale={"gc": {"age": "0s"}})) as server:
        web = server.client()
        data = os.urandom(900000)
        image = web.push_image("team/a", "t", layers=(data,))
        config = len(b'{"os":"linux","architecture":"amd64"}')
        assert used(server)["team"] == (900000 + len(image) + config, 1), used(server)
        assert is_refused(post(web, "team/b", data[:200000]))
        assert web.delete(f"/v2/team/a/manifests/{digest(image)}").status == 202
        assert web.delete(f"/v2/team/a/blobs/{digest(data)}").status == 202
        assert gauge(server, 'used_bytes{namespace="team"}') == config
        web.push_blob("team/b", data)
        assert is_refused(post(web, "team/b", b"x" * 200000))
        # What was sent within a day is leased by this server, so the next one collects.
        server.stop()
        time.sleep(1.1)
        server.start()
        web = server.client()
        os.kill(server.process.pid, signal.SIGUSR1)
        wait_until("room", lambda: gauge(server, 'used_bytes{namespace="team"}') == 0)
        web.push_blob("team/c", os.urandom(999999))


@test("repositories are counted")
def quota_repositories():
    with Server(extra=quotas({"namespace": "team/*", "repositories": 2})) as server:
        web = server.client()
        for name in ("team/x/a", "team/x/b", "team/y/a"):
            web.push_image(name, "t")
        for answer in (web.post("/v2/team/x/c/blobs/uploads/"), post(web, "team/x/c", b"1"),
                       web.push_manifest("team/x/c", "t", json.dumps({"schemaVersion": 2, "manifests": []}).encode(), OCI_INDEX),
                       web.post(f"/v2/team/x/c/blobs/uploads/?mount={digest(b'layer')}&from=team/x/a")):
            assert is_refused(answer), (answer.status, answer.body)
        web.push_image("team/x/a", "u")
        web.push_image("teams", "t")
        assert used(server)["team/x"][1] == 2


@test("clients at once fill a quota and do not get beyond it")
def quota_at_once():
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"})) as server:
        done = []

        def push(number):
            client = server.client()
            for i in range(12):
                done.append(post(client, f"team/r{number % 3}", bytes([number, i]) * 10000).status)
        threads = [threading.Thread(target=push, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done.count(201) == 50 and done.count(403) == 46, (done.count(201), set(done))
        assert used(server) == {"team": (1000000, 3)}
        assert gauge(server, 'reserved_bytes{namespace="team"}') == 0


@test("after kill -9 it is counted anew, unfinished uploads too")
def quota_killed():
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"})) as server:
        web = server.client()
        web.push_blob("team/a", os.urandom(500000))
        where = web.patch(web.post("/v2/team/b/blobs/uploads/")["Location"], os.urandom(300000))["Location"]
        server.kill()
        server.start()
        web = server.client()
        assert gauge(server, 'used_bytes{namespace="team"}') == 500000
        assert 300000 <= gauge(server, 'reserved_bytes{namespace="team"}') < 301000
        assert is_refused(post(web, "team/a", os.urandom(250000)))
        assert web.patch(where, os.urandom(150000)).status == 202
        assert is_refused(web.patch(where, os.urandom(100000)))
        assert web.delete(where).status == 204
        assert gauge(server, 'reserved_bytes{namespace="team"}') == 0
        assert web.push_blob("team/a", os.urandom(450000))


@test("skopeo says what the quota is")
def quota_skopeo():
    if not shutil.which("skopeo"):
        raise Skip("no skopeo")
    import clients
    path, _, _ = clients.make_layout()
    with Server(extra=quotas({"namespace": "*", "bytes": "1MB"})) as server:
        done = subprocess.run(["skopeo", "--insecure-policy", "--tmpdir", scratch(), "copy", "--dest-tls-verify=false",
                               f"oci:{path}:latest", f"docker://{HOST}:{server.port}/team/app:t"],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode and "the quota of 'team' is 1000000 bytes" in done.stderr, done.stderr


main()
