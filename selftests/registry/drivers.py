# SPDX-License-Identifier: GPL-2.0-only
#
# The storage drivers on real object stores: Swift by its own API and by S3's, and Azurite. On each of them the
# contract (unit/bucket), what holds under faults and beside other servers (registry/remote), and then servers of
# ours on one bucket. Stores are worked on at once, and their results are printed when all have ended.
#
#	drivers.py [WORD...]	only tests whose "STORE.NAME" contains a word
#
# A store that cannot be had here is one skipped line that says why.

import contextlib
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from registry import *

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = HERE + "/servers/"
BUCKET = TOP + "/build/selftests/unit/bucket"
REMOTE = TOP + "/build/selftests/registry/remote"
# A run of one of these programs; their tests have limits of their own.
PROGRAM_SECONDS = 900
# So many objects are several pages.
MANY, PAGE = "130", "50"
# Stores that take extended attributes need a filesystem that has them.
STORE_DIR = os.environ.get("SHALE_TEST_DIR", os.environ.get("TMPDIR", "/var/tmp"))


class Missing(Exception):
    """A store cannot be had."""


class Store:
    """A server started by servers/NAME, the proxy before it, and a driver's parameters for both."""

    def __init__(self, server):
        self.server = server
        self.dir = tempfile.mkdtemp(prefix="shale-store.", dir=STORE_DIR)
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.proxies = []
        self.env = {}

    def __enter__(self):
        done = subprocess.run([SERVERS + self.server, "start", self.dir], capture_output=True, text=True)
        if done.returncode == 4:
            raise Missing(done.stderr.strip())
        if done.returncode:
            raise AssertionError(done.stderr)
        with open(self.dir + "/env") as env:
            self.env = dict(line.strip().split("=", 1) for line in env if "=" in line)
        return self

    def __exit__(self, *_):
        for proxy in self.proxies:
            proxy.kill()
            proxy.wait()
        subprocess.run([SERVERS + self.server, "stop", self.dir], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def proxy(self, name, port):
        """A proxy of that name before that port; its port."""
        file = f"{self.dir}/proxy.{name}"
        self.proxies.append(subprocess.Popen([sys.executable, SERVERS + "faulty.py", str(port), file]))
        wait_until("the proxy", lambda: os.path.exists(file), 60)
        with open(file) as text:
            return int(text.read())


def port_of(url):
    return int(re.search(r":(\d+)", url.split("//")[1]).group(1))


def ask(url, method="GET", body=None, **fields):
    host, path = re.match(r"http://([^/]*)(.*)", url).groups()
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request(method, path or "/", body,
                       {key.replace("_", "-"): value for key, value in fields.items()})
    answer = connection.getresponse()
    return Answer(answer.status, answer.getheaders(), answer.read())


def swift_token(env):
    answer = ask(env["SWIFT_AUTH"], X_Auth_User="test:tester", X_Auth_Key="testing")
    return answer["X-Storage-Url"], answer["X-Auth-Token"]


def make_container(env, name):
    url, token = swift_token(env)
    assert ask(f"{url}/{name}", "PUT", X_Auth_Token=token).status in (201, 202)


# What a driver is told: by the address of the store, or of the proxy before it.

def s3_params(env, url):
    return {"accesskey": "test:tester", "secretkey": "testing", "region": "us-east-1", "bucket": "shale",
            "regionendpoint": url, "chunksize": 5 << 20}


def swift_params(env, url):
    return {"authurl": url + "/auth/v1.0", "username": "test:tester", "password": "testing",
            "container": "native", "chunksize": 2 << 20, "secretkey": "secret"}


def azure_params(env, url):
    return {"accountname": env["AZURE_ACCOUNT"], "accountkey": env["AZURE_KEY"], "container": "shale",
            "serviceurl": url + "/" + env["AZURE_ACCOUNT"], "chunksize": 1 << 20}


def spec(driver, params, **more):
    return " ".join([driver] + [f"{key}={value}" for key, value in {**params, **more}.items()])


class Results:
    """Lines of KTAP without their numbers, from several threads."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.lines = []
        self.lock = threading.Lock()

    def is_wanted(self, name):
        return not self.wanted or any(word in name for word in self.wanted)

    def add(self, passed, name, description, notes=(), skip=None):
        with self.lock:
            self.lines.append((passed, name, description, list(notes), skip))

    def show(self):
        print(f"KTAP version 1\n1..{len(self.lines)}")
        for number, (passed, name, description, notes, skip) in enumerate(sorted(self.lines, key=lambda l: l[1]), 1):
            if not passed:
                for note in notes:
                    print("# " + note)
            print(f"{'ok' if passed else 'not ok'} {number} {name} - {description}"
                  + (f" # SKIP {skip}" if skip else ""))
        return all(line[0] for line in self.lines)


def run_program(results, store, program, env, is_chosen):
    """Takes the results of a program in C over. Its tests of other drivers are nobody's concern."""
    names = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
    wanted = [name for name in names if results.is_wanted(f"{store}.{name}") and is_chosen(name)]
    # Parts of names select: a path has nothing to do with a driver.
    wanted = [name for name in wanted if not name.startswith("path.") and name != "params"]
    if not wanted:
        return
    done = subprocess.run([program, *wanted], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=PROGRAM_SECONDS, errors="replace")
    notes, seen = [], set()
    for line in done.stdout.splitlines():
        match = re.match(r"(ok|not ok) \d+ (\S+) - (.*?)(?: # SKIP (.*))?$", line)
        if not match:
            notes.append(line.lstrip("# "))
            continue
        result, name, description, skip = match.groups()
        seen.add(name)
        if name in wanted and not (skip and skip.endswith(" only")):
            results.add(result == "ok", f"{store}.{name}", description, notes, skip)
        notes = []
    for name in set(wanted) - seen:
        results.add(False, f"{store}.{name}", "was not run", done.stderr.splitlines()[-20:])


# --- servers of ours on one bucket

E2E = []


def e2e(description):
    def register(function):
        E2E.append((function.__name__, description, function))
        return function
    return register


@contextlib.contextmanager
def servers(driver, params, count=2, gc=None, **storage):
    extra = {"storage": storage} if storage else {}
    made = [Server(driver={driver: params}, extra=extra) for _ in range(count)]
    for server in made:
        server.config["shale"] = {"index": server.dir + "/index.db", **({"gc": gc} if gc else {})}
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            if server.process:
                server.stop()


@e2e("what is pushed to one server is pulled from another on the same bucket")
def shared(driver, params):
    with servers(driver, params) as (one, two):
        layer = os.urandom(3 << 20)
        data = one.client().push_image("e/shared", "v1", (layer, b"small"))
        answer = two.client().get("/v2/e/shared/manifests/v1")
        assert answer.status == 200 and answer.body == data, answer.status
        assert two.client().head(f"/v2/e/shared/blobs/{digest(layer)}")["Content-Length"] == str(len(layer))
        assert two.client().get("/v2/e/shared/tags/list").json()["tags"] == ["v1"]


@e2e("an upload in chunks goes on at whichever server its next chunk comes to")
def chunks(driver, params):
    with servers(driver, params) as both:
        blob = os.urandom(7 << 20)
        cuts = [0, 100000, 3 << 20, len(blob)]
        answer = both[0].client().post("/v2/e/chunks/blobs/uploads/")
        assert answer.status == 202, answer.body
        for turn, (first, end) in enumerate(zip(cuts, cuts[1:])):
            answer = both[(turn + 1) % 2].client().patch(
                location(answer), blob[first:end], Content_Range=f"{first}-{end - 1}",
                Content_Type="application/octet-stream")
            assert answer.status == 202, (turn, answer.status, answer.body)
            assert answer["Range"] == f"0-{end - 1}"
        answer = both[0].client().put(location(answer) + "digest=" + digest(blob))
        assert answer.status == 201, answer.body
        with servers(driver, params, 1, redirect={"disable": True}) as (third,):
            got = third.client().get(f"/v2/e/chunks/blobs/{digest(blob)}", Range="bytes=3000000-")
            assert got.status == 206 and got.body == blob[3000000:], got.status


@e2e("a tag that one server has moved is what another gives at once")
def tags(driver, params):
    with servers(driver, params) as both:
        for turn in range(6):
            data = both[turn % 2].client().push_image("e/tags", "latest", (b"layer%d" % turn,))
            got = both[(turn + 1) % 2].client().get("/v2/e/tags/manifests/latest")
            assert got.body == data, (turn, got.status)


@e2e("two servers that move one tag at once agree on what it is afterwards")
def tag_race(driver, params):
    with servers(driver, params) as both:
        images = [both[0].client().make_image("e/race", (b"l%d" % i,)) for i in range(8)]
        statuses = []

        def move(number):
            answer = both[number % 2].client().push_manifest("e/race", "latest", images[number])
            statuses.append(answer.status)

        threads = [threading.Thread(target=move, args=(i,)) for i in range(len(images))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Whoever lost against others for too long is told so.
        assert set(statuses) <= {201, 503} and 201 in statuses, statuses
        answers = [server.client().get("/v2/e/race/manifests/latest").body for server in both]
        assert answers[0] == answers[1] and answers[0] in images


@e2e("a blob is asked of the store itself, by a link")
def redirected(driver, params):
    with servers(driver, params, 1) as (one,):
        blob = os.urandom(300000)
        one.client().push_blob("e/link", blob)
        answer = one.client().get(f"/v2/e/link/blobs/{digest(blob)}")
        assert answer.status == 307, answer.status
        got = ask(answer["Location"])
        assert got.status == 200 and got.body == blob, (got.status, got.body[:200])


@e2e("skopeo pushes and pulls an image")
def skopeo(driver, params):
    with servers(driver, params, 1) as (one,):
        image = scratch()
        data = one.client().push_image("e/skopeo", "v1", (os.urandom(100000),))
        where = f"docker://{HOST}:{one.port}/e/skopeo"
        for words in (["--src-tls-verify=false", where + ":v1", f"dir:{image}"],
                      ["--dest-tls-verify=false", f"dir:{image}", where + ":v2"]):
            done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", *words], capture_output=True, text=True,
                                  timeout=120, env={**os.environ, "no_proxy": "127.0.0.1"})
            assert done.returncode == 0, done.stderr
        assert one.client().get("/v2/e/skopeo/manifests/v2").body == data


def collect(server):
    """All that can be collected, at once. Stores round an object's time up to a whole second."""
    time.sleep(2)
    merge(server.config, {"shale": {"gc": {"age": "0s"}},
                          "storage": {"maintenance": {"uploadpurging": {"enabled": True, "age": "0s"}}}})
    done = server.verb("gc", "--alone")
    assert done.returncode == 0, done.stderr


@e2e("what was pushed to one server is left alone by the collector of another")
def collected_beside(driver, params):
    params = {**params, "rootdirectory": "gc-beside"}
    with servers(driver, params, 3, gc={"age": "0s"}, redirect={"disable": True}) as (one, two, three):
        three.stop()
        web, layers = two.client(), [b"layer %d" % i for i in range(20)]
        image = web.make_image("e/gc", layers)
        time.sleep(2)
        ends = lambda: len(re.findall("blobs kept|the collector (?:failed|ends)", one.read_log()))
        for turn in range(2):
            one.process.send_signal(signal.SIGUSR1)
            wait_until("the collection", lambda: ends() > turn, 120)
        log = one.read_log()
        assert log.count("blobs kept") == 2 and "took" not in log, log[-2000:]
        assert web.push_manifest("e/gc", "t", image).status == 201
        for layer in layers:
            assert web.get(f"/v2/e/gc/blobs/{digest(layer)}").body == layer
        done = three.verb("gc", "--delete-untagged")
        assert done.returncode == 1 and "--alone" in done.stderr, done.stderr
        done = three.verb("gc")
        assert done.returncode == 0 and ", 0 taken" in done.stdout, (done.stdout, done.stderr)
    done = one.verb("check")
    assert done.returncode == 0, (done.stdout, done.stderr)


@e2e("the collector takes what no manifest refers to, and uploads that were given up")
def collected(driver, params):
    params = {**params, "rootdirectory": "gc"}
    kept, gone = os.urandom(200000), os.urandom(7 << 20)
    with servers(driver, params, 1, redirect={"disable": True}, delete={"enabled": True}) as (one,):
        web = one.client()
        data = web.push_image("e/gc", "kept", (kept,))
        other = web.push_image("e/gc", "gone", (gone,))
        assert web.delete(f"/v2/e/gc/manifests/{digest(other)}").status == 202
        answer = web.post("/v2/e/gc/blobs/uploads/")
        upload = web.patch(answer["Location"], os.urandom(6 << 20), Content_Type="application/octet-stream")["Location"]
    collect(one)
    with servers(driver, params, 1, redirect={"disable": True}) as (two,):
        web = two.client()
        assert web.get("/v2/e/gc/manifests/kept").body == data
        assert web.get(f"/v2/e/gc/blobs/{digest(kept)}").body == kept
        assert web.head(f"/v2/e/gc/blobs/{digest(gone)}").status == 404
        assert web.get(upload).status == 404
    done = one.verb("check")
    assert done.returncode == 0, (done.stdout, done.stderr)


@e2e("what was acknowledged is there and whole after a server was killed, and an upload goes on where it was")
def killed(driver, params):
    blobs, stop = [], threading.Event()

    def push(server):
        while not stop.is_set():
            blob = os.urandom(random.choice((1000, 300000, 6 << 20)))
            try:
                server.client(timeout=20).push_blob("e/killed", blob)
                blobs.append(digest(blob))
            except (OSError, http.client.HTTPException, AssertionError):
                time.sleep(0.05)

    params = {**params, "rootdirectory": "killed"}
    with servers(driver, params, 1, redirect={"disable": True}) as (one,):
        blob = os.urandom(9 << 20)
        answer = one.client().post("/v2/e/killed/blobs/uploads/")
        where = one.client().patch(answer["Location"], blob[:6 << 20], Content_Type="application/octet-stream")["Location"]
        threads = [threading.Thread(target=push, args=(one,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            time.sleep(random.uniform(0.3, 1.5))
            one.kill()
            one.start()
        stop.set()
        for thread in threads:
            thread.join()
        web = one.client()
        status = web.get(where)
        assert status.status == 204 and status["Range"] == f"0-{(6 << 20) - 1}", (status.status, status.fields)
        answer = web.put(location(status) + "digest=" + digest(blob), blob[6 << 20:])
        assert answer.status == 201, answer.body
        assert web.get(f"/v2/e/killed/blobs/{digest(blob)}").body == blob
        for name in blobs:
            got = web.get(f"/v2/e/killed/blobs/{name}")
            assert got.status == 200 and digest(got.body) == name, (name, got.status)
    # What the dead have left goes: the last tests of a store look for it.
    collect(one)
    if driver == "s3":
        with servers(driver, {**params, "abandonedafter": 1}, 1) as (one,):
            one.client().push_blob("e/killed", os.urandom(7 << 20))


# --- what only one store has

def distribution_config(driver, params):
    port = free_port()
    return port, {"version": 0.1, "log": {"level": "error"}, "http": {"addr": f"{HOST}:{port}"},
                  "storage": {driver: params, "redirect": {"disable": True}}}


def push_by_put(web, repo, blob):
    """Distribution answers a POST before it has read its body."""
    answer = web.post(f"/v2/{repo}/blobs/uploads/")
    assert answer.status == 202, (answer.status, answer.body)
    answer = web.put(location(answer) + "digest=" + digest(blob), blob, Content_Type="application/octet-stream")
    assert answer.status == 201, (answer.status, answer.body)


@contextlib.contextmanager
def distribution(driver, params):
    """Debian's docker-registry on a bucket; its client."""
    if not shutil.which("docker-registry"):
        raise Skip("docker-registry is not installed")
    port, config = distribution_config(driver, params)
    path = scratch()
    with open(path + "/config.yml", "w") as file:
        json.dump(config, file)
    # It takes more from AWS's variables than its configuration says.
    env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    theirs = subprocess.Popen(["docker-registry", "serve", path + "/config.yml"], env=env,
                              stderr=open(path + "/log", "w"), stdout=subprocess.DEVNULL)
    try:
        wait_until("docker-registry", lambda: is_open(port) or theirs.poll() is not None, 60)
        yield Client(port)
    except (AssertionError, OSError) as why:
        with open(path + "/log") as log:
            raise AssertionError(f"{why}: {' '.join(log.read()[:800].split())}") from why
    finally:
        theirs.terminate()
        theirs.wait(60)


def distribution_bucket(driver, params):
    layer, other = os.urandom(12 << 20), os.urandom(12 << 20)
    with distribution(driver, params) as web:
        push_by_put(web, "e/theirs", layer)
        data = web.push_image("e/theirs", "v1", (b"small",))
    ours = {key: value for key, value in params.items() if key != "secure"}
    with servers(driver, ours, 1, redirect={"disable": True}, delete={"enabled": True}) as (one,):
        web = one.client()
        assert web.get("/v2/e/theirs/manifests/v1").body == data
        assert web.get(f"/v2/e/theirs/blobs/{digest(layer)}").body == layer
        assert "e/theirs" in web.get("/v2/_catalog").json()["repositories"]
        push_by_put(web, "e/ours", other)
        data = web.push_image("e/ours", "v1", (b"small",))
        assert web.delete(f"/v2/e/theirs/blobs/{digest(layer)}").status == 202
    with distribution(driver, params) as web:
        assert web.get("/v2/e/ours/manifests/v1", Accept=OCI_MANIFEST).body == data
        assert web.get(f"/v2/e/ours/blobs/{digest(other)}").body == other


def s3_distribution(env):
    """a bucket that distribution filled is served as it stands, and the other way round"""
    make_container(env, "theirs")
    make_container(env, "theirs+segments")
    distribution_bucket("s3", {**s3_params(env, env["S3_URL"]), "bucket": "theirs", "secure": False})


def s3_host(env):
    """a bucket whose name is in the host's is used"""
    url = env["S3_URL"].replace(HOST, "localhost")
    params = {**s3_params(env, url), "rootdirectory": "host", "forcepathstyle": False}
    with servers("s3", params, 1) as (one,):
        data = one.client().push_image("e/host", "v1")
        assert one.client().get("/v2/e/host/manifests/v1").body == data
        answer = one.client().get(f"/v2/e/host/blobs/{digest(b'layer')}")
        assert answer.status == 307 and answer["Location"].startswith("http://shale.localhost:"), answer["Location"]


def s3_tls(env):
    """a certificate is checked against the system's, or those of cacert, or not at all when told so"""
    path = scratch()
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
                           "-keyout", path + "/key", "-out", path + "/cert"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    proxy = subprocess.Popen([sys.executable, SERVERS + "faulty.py", str(port_of(env["S3_URL"])), path + "/port",
                              path + "/cert", path + "/key"])
    try:
        wait_until("the proxy", lambda: os.path.exists(path + "/port"), 60)
        with open(path + "/port") as text:
            url = f"https://{HOST}:{text.read()}"
        params = {**s3_params(env, url), "rootdirectory": "tls", "retries": 0}
        done = Server(driver={"s3": params}).verb("check")
        assert done.returncode and "certificate" in done.stderr, done.stderr
        for trust in ({"cacert": path + "/cert"}, {"skipverify": True}):
            with servers("s3", {**params, **trust}, 1) as (one,):
                data = one.client().push_image("e/tls", "v1")
                assert one.client().get("/v2/e/tls/manifests/v1").body == data
    finally:
        proxy.kill()
        proxy.wait()


def swift_distribution(env):
    """a container that distribution filled, with dynamic large objects, is served as it stands, and the other way round"""
    params = swift_params(env, env["SWIFT_URL"])
    del params["secretkey"]
    distribution_bucket("swift", {**params, "container": "theirs-too"})


def swift_tokens(env):
    """a token that the server has forgotten is replaced in the middle of the work"""
    with servers("swift", swift_params(env, env["SWIFT_URL"]), 1) as (one,):
        one.client().push_image("e/tokens", "v1")
        with socket.create_connection((HOST, int(env["SWIFT_CACHE"])), timeout=10) as cache:
            cache.sendall(b"flush_all\r\n")
            assert cache.recv(100).startswith(b"OK")
        one.client().push_image("e/tokens", "v2", (b"other",))
        assert sorted(one.client().get("/v2/e/tokens/tags/list").json()["tags"]) == ["v1", "v2"]


class Keystone(BaseHTTPRequestHandler):
    """As much of Keystone's version 3 as a client needs, by its description; tokens are tempauth's."""

    env = {}
    asked = []

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Keystone.asked.append((self.path, request))
        user = request["auth"]["identity"]["password"]["user"]
        if user["password"] != "testing":
            self.send_response(401)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        url, token = swift_token(Keystone.env)
        until = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 3600))
        endpoint = lambda interface, region, where: {"interface": interface, "region": region, "region_id": region,
                                                     "id": "1", "url": where}
        body = json.dumps({"token": {"methods": ["password"], "expires_at": until, "catalog": [
            {"type": "identity", "endpoints": [endpoint("public", "here", "http://127.0.0.1:1/v3")]},
            {"type": "object-store", "name": "swift", "endpoints": [
                endpoint("internal", "here", "http://127.0.0.1:1/v1/a"),
                endpoint("public", "there", "http://127.0.0.1:1/v1/b"),
                endpoint("public", "here", url)]}]}}).encode()
        self.send_response(201)
        self.send_header("X-Subject-Token", token)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def swift_keystone(env):
    """logging in to Keystone by version 3, as far as a model of it goes"""
    Keystone.env = env
    keystone = ThreadingHTTPServer((HOST, 0), Keystone)
    threading.Thread(target=keystone.serve_forever, daemon=True).start()
    params = {"authurl": f"http://{HOST}:{keystone.server_port}/v3", "username": "tester", "password": "testing",
              "domain": "Default", "tenant": "test", "region": "here", "container": "native",
              "rootdirectory": "keystone"}
    try:
        with servers("swift", params, 1) as (one,):
            data = one.client().push_image("e/v3", "v1")
            assert one.client().get("/v2/e/v3/manifests/v1").body == data
        path, request = Keystone.asked[0]
        assert path == "/v3/auth/tokens", path
        assert request == {"auth": {
            "identity": {"methods": ["password"], "password": {
                "user": {"name": "tester", "domain": {"name": "Default"}, "password": "testing"}}},
            "scope": {"project": {"name": "test", "domain": {"name": "Default"}}}}}, request
        for wrong, message in (({"region": "nowhere"}, "the catalog has no public object-store in region nowhere"),
                               ({"password": "x"}, "is refused with status 401")):
            done = Server(driver={"swift": {**params, **wrong}}).verb("check")
            assert done.returncode and message in done.stderr, done.stderr
    finally:
        keystone.shutdown()


def left_behind(env, container):
    url, token = swift_token(env)
    names = ask(f"{url}/{container}", X_Auth_Token=token).body.decode().split("\n")
    # Leases stay for a day or two.
    return [name for name in names if name and ".shale" in name and not name.endswith(".shale/health") and
            "/.shale/lease/" not in name]


def s3_left(env):
    """no lock, no piece and no upload is left in the bucket by all this"""
    assert not left_behind(env, "shale"), left_behind(env, "shale")
    url, token = swift_token(env)
    segments = ask(f"{url}/shale+segments", X_Auth_Token=token).body.decode().split("\n")
    # Swift keeps parts there as KEY/UPLOAD/NUMBER, and KEY/UPLOAD as long as the upload is open. One whose
    # beginning was not answered is open until it is swept: faults are let loose below c/.
    uploads = [name for name in segments if name and not name.rsplit("/", 1)[1].isdigit() and not name.startswith("c/")]
    assert not uploads, uploads


def swift_left(env):
    """no lock, no pointer, and no segment without its object is left in the container by all this"""
    left = left_behind(env, "native")
    url, token = swift_token(env)
    held = set()
    for name in ask(f"{url}/native", X_Auth_Token=token).body.decode().split("\n"):
        head = ask(f"{url}/native/{name}", "HEAD", X_Auth_Token=token) if name else None
        if head and head["X-Object-Meta-Shale-Segments"]:
            held.add(head["X-Object-Meta-Shale-Segments"])
    left = [name for name in left if "/segments/" not in name or name.split("/segments/")[1].split("/")[0] not in held]
    assert not left, left


STORES = {
    "s3": ("swift", "S3_URL", s3_params, [s3_distribution, s3_host, s3_tls], s3_left),
    "swift": ("swift", "SWIFT_URL", swift_params, [swift_distribution, swift_tokens, swift_keystone], swift_left),
    "azure": ("azurite", "AZURE_URL", azure_params, [], None),
}


def run_test(results, name, description, function, *arguments):
    if not results.is_wanted(name):
        return
    try:
        function(*arguments)
        results.add(True, name, description)
    except Skip as why:
        results.add(True, name, description, skip=str(why))
    except Exception:
        results.add(False, name, description, traceback.format_exc().splitlines()[-12:] + list(Server.crashes()))


def run_store(results, driver, server):
    _, url_name, params_of, own, last = STORES[driver]
    base = re.match(r"http://[^/]*", server.env[url_name]).group()
    port = server.proxy(driver, port_of(base))
    faulty = f"http://{HOST}:{port}"
    params = params_of(server.env, base)

    def env(root):
        return {
            "SHALE_TEST_BUCKET": spec(driver, params, rootdirectory=root, pagesize=PAGE),
            "SHALE_TEST_FAULTY": spec(driver, params_of(server.env, faulty), rootdirectory=root, pagesize=PAGE,
                                      retries=2, timeout=5),
            "SHALE_TEST_FAULTY_URL": faulty,
            "SHALE_TEST_MANY": MANY,
            "SHALE_TEST_SLOW": os.environ.get("SHALE_TEST_SLOW", "3"),
            "no_proxy": "*",
        }

    # One waits for most of a minute, others for the proxy: what they wait for differs.
    is_slow = lambda name: name == "lock_left"
    work = [threading.Thread(target=run_program, args=(results, driver, program, env(root), chosen))
            for program, root, chosen in ((BUCKET, "a/b", lambda name: True), (REMOTE, "c", lambda name: not is_slow(name)),
                                          (REMOTE, "d", is_slow))]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    for name, description, function in E2E:
        run_test(results, f"{driver}.{name}", description, function, driver, {**params, "rootdirectory": "e2e"})
    for function in own:
        run_test(results, f"{driver}.{function.__name__}", function.__doc__, function, server.env)
    if last:
        run_test(results, f"{driver}.{last.__name__}", last.__doc__, last, server.env)


def store_thread(results, driver, server):
    try:
        run_store(results, driver, server)
    except Exception:
        results.add(False, f"{driver}.store", "the tests of this store could be run",
                    traceback.format_exc().splitlines()[-12:])


def run_server(results, name):
    """One server, and all drivers that use it, at once."""
    drivers = [driver for driver in STORES if STORES[driver][0] == name]
    try:
        with Store(name) as server:
            if name == "swift":
                for container in ("shale", "shale+segments"):
                    make_container(server.env, container)
            threads = [threading.Thread(target=store_thread, args=(results, driver, server)) for driver in drivers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    except Missing as why:
        for driver in drivers:
            results.add(True, f"{driver}.store", "the tests of this store", skip=str(why))
    except Exception:
        results.add(False, f"{name}.start", "the server starts", traceback.format_exc().splitlines()[-12:])


def main():
    results = Results(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["no_proxy"] = "*"
    threads = [threading.Thread(target=run_server, args=(results, name))
               for name in sorted({store[0] for store in STORES.values()})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(0 if results.show() else 1)


main()
