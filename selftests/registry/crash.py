# SPDX-License-Identifier: GPL-2.0-only
#
# kill -9 at random moments under clients that push and pull at once: what was acknowledged is there and
# whole, uploads can be gone on with, and nothing is left that the collector does not take. How often it is
# killed is SHALE_TEST_KILLS; a seed is printed, and taken from SHALE_TEST_SEED.

import random
import threading

from registry import *

KILLS = int(os.environ.get("SHALE_TEST_KILLS", "20"))
SEED = int(os.environ.get("SHALE_TEST_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLIENTS = 16


class Worker(threading.Thread):
    """Pushes images until told to stop; remembers what was acknowledged."""

    def __init__(self, server, number, acknowledged, wrong):
        super().__init__()
        self.server = server
        self.random = random.Random(SEED * 100 + number)
        self.repo = f"r{number % 5}/w{number}"
        self.acknowledged = acknowledged
        self.wrong = wrong
        self.stopped = threading.Event()
        self.count = 0
        self.resumed = 0

    def run(self):
        while not self.stopped.is_set():
            try:
                (self.pull if self.random.random() < 0.3 else self.push)(self.server.client(timeout=10))
            except (OSError, http.client.HTTPException, AssertionError):
                time.sleep(0.02)

    def push_chunked(self, web, data):
        """By chunks, going on after a kill where the server says."""
        answer = web.post(f"/v2/{self.repo}/blobs/uploads/")
        if answer.status != 202:
            raise AssertionError
        where, acknowledged, attempt = answer["Location"], 0, -1
        # A server that is started again on a busy machine takes its time.
        end = time.monotonic() + 60
        while time.monotonic() < end:
            attempt += 1
            try:
                status = web.get(where)
                if status.status == 404 and attempt:
                    # Killed after the end, before its answer: then it is a blob.
                    verify(web, "blob", self.repo, digest(data), self.wrong, f"finished? attempt {attempt} at {where}")
                    return
                if status.status == 429:
                    # The request whose answer we did not wait for has it still.
                    raise OSError
                if status.status != 204:
                    self.wrong.append(f"session of {self.repo}: {status.status} {status.body[:100]}")
                    raise AssertionError
                last = int(status["Range"].split("-")[1])
                size = last + 1 if last else 0
                if size < acknowledged:
                    self.wrong.append(f"{self.repo}: {acknowledged} bytes were acknowledged, {size} are there")
                self.resumed += bool(attempt and size)
                while size < len(data):
                    piece = data[size:size + 40000]
                    answer = web.patch(where, piece, Content_Range=f"{size}-{size + len(piece) - 1}")
                    if answer.status != 202:
                        raise OSError
                    size = acknowledged = size + len(piece)
                answer = web.put(location(Answer(0, [("Location", where)], b"")) + "digest=" + digest(data))
                if answer.status != 201:
                    raise AssertionError
                return
            except (OSError, http.client.HTTPException):
                web.close()
                if self.stopped.is_set():
                    raise
                time.sleep(0.05)
        raise AssertionError

    def push(self, web):
        self.count += 1
        layers = [self.random.randbytes(self.random.choice((10, 5000, 150000))) for _ in range(2)]
        config = b'{"os":"linux","architecture":"amd64"}'
        web.push_blob(self.repo, config)
        self.acknowledged.append(("blob", self.repo, digest(config)))
        self.push_chunked(web, layers[0])
        self.acknowledged.append(("blob", self.repo, digest(layers[0])))
        web.push_blob(self.repo, layers[1])
        self.acknowledged.append(("blob", self.repo, digest(layers[1])))
        data = json.dumps({"schemaVersion": 2, "config": descriptor(config, OCI_CONFIG), "n": self.count,
                           "layers": [descriptor(layer, OCI_LAYER) for layer in layers]}).encode()
        tag = f"t{self.count % 4}"
        answer = web.push_manifest(self.repo, tag, data)
        if answer.status == 201:
            self.acknowledged.append(("manifest", self.repo, digest(data)))
            self.acknowledged.append(("tag", self.repo, tag))
        elif answer.status in (400, 404):
            self.wrong.append(f"{self.repo}: {answer.status} {answer.body[:200]}")

    def pull(self, web):
        known = [entry for entry in self.acknowledged[-50:]]
        if not known:
            return
        kind, repo, name = self.random.choice(known)
        verify(web, kind, repo, name, self.wrong, "pulled")


def verify(web, kind, repo, name, wrong, why=""):
    path = "blobs" if kind == "blob" else "manifests"
    answer = web.get(f"/v2/{repo}/{path}/{name}")
    if answer.status != 200:
        wrong.append(f"{kind} {repo} {name}: {answer.status} {why} {time.strftime('%T')}")
    elif digest(answer.body) != (answer["Docker-Content-Digest"] if kind == "tag" else name):
        wrong.append(f"{kind} {repo} {name}: other bytes")


@test(f"killed {KILLS} times under {CLIENTS} clients (seed {SEED})")
def killed():
    chance = random.Random(SEED)
    acknowledged, wrong = [], []
    with Server(extra={"log": {"level": "error"}}) as server:
        workers = [Worker(server, number, acknowledged, wrong) for number in range(CLIENTS)]
        for worker in workers:
            worker.start()
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 1.0))
                server.kill()
                server.start(60)
        finally:
            for worker in workers:
                worker.stopped.set()
            for worker in workers:
                worker.join(60)
        web = server.client()
        for kind, repo, name in set(acknowledged):
            verify(web, kind, repo, name, wrong, "at the end")
        print(f"# {len(acknowledged)} things acknowledged, {sum(worker.resumed for worker in workers)} uploads gone on with")
        assert not wrong, wrong[:10]
        assert len(acknowledged) > KILLS
        for number in range(CLIENTS):
            repo = f"r{number % 5}/w{number}"
            tags = {name for kind, r, name in acknowledged if kind == "tag" and r == repo}
            answer = web.get(f"/v2/{repo}/tags/list")
            if tags:
                assert tags <= set(answer.json()["tags"]), (repo, tags, answer.body)
        server.stop()
        check = server.verb("check")
        assert check.returncode == 0, check.stdout[-2000:]
        collect(server)
        assert server.verb("check").returncode == 0


def collect(server):
    """Everything is old now, and no upload or blob without a manifest survives."""
    then = time.time() - 2000000
    for directory, names, files in os.walk(server.root + "/docker"):
        for name in names + files:
            os.utime(os.path.join(directory, name), (then, then))
    done = server.verb("gc")
    assert done.returncode == 0, done.stderr
    needed, there = set(), set()
    for directory, _, files in os.walk(server.root + "/docker"):
        assert "_uploads" not in directory, directory
        if directory.startswith(server.root + "/docker/registry/v2/blobs") and "data" in files:
            there.add("sha256:" + os.path.basename(directory))
        if "/_manifests/revisions/" in directory and "link" in files:
            name = "sha256:" + os.path.basename(directory)
            path = f"{server.root}/docker/registry/v2/blobs/sha256/{name[7:9]}/{name[7:]}/data"
            with open(path) as file:
                image = json.load(file)
            needed |= {name, image["config"]["digest"]} | {layer["digest"] for layer in image["layers"]}
    assert there == needed, (len(there - needed), len(needed - there))


main()
