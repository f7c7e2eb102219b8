# SPDX-License-Identifier: GPL-2.0-only
#
# Retention of a running registry and by its verb: what is taken and what is not, dry runs, events, and pushes
# beside it.

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
        wait_until("runs", lambda: server.read_log().count("tags kept") >= 3)
        stop.set()
        for thread in threads:
            thread.join()
        assert not broken, broken[:3]
        assert len(pushed) > 20 and "took tag" in server.read_log()
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


main()
