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
import hashlib
import threading

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

    def proxy(self, port):
        """A proxy of its own before that port; its port."""
        file = f"{self.dir}/proxy{len(self.proxies)}"
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


def run_program(results, store, program, env):
    """Takes the results of a program in C over. Its tests of other drivers are nobody's concern."""
    names = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
    wanted = [name for name in names if results.is_wanted(f"{store}.{name}")]
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
def servers(driver, params, count=2, **storage):
    extra = {"storage": storage} if storage else {}
    made = [Server(driver={driver: params}, extra=extra) for _ in range(count)]
    for server in made:
        server.config["storage"].pop("filesystem", None)
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
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


# --- what only one store has

def distribution_config(driver, params):
    port = free_port()
    return port, {"version": 0.1, "log": {"level": "error"}, "http": {"addr": f"{HOST}:{port}"},
                  "storage": {driver: params, "redirect": {"disable": True}}}


def distribution_bucket(driver, params):
    """Debian's docker-registry fills the bucket; then it is ours."""
    if not shutil.which("docker-registry"):
        raise Skip("docker-registry is not installed")
    port, config = distribution_config(driver, params)
    path = scratch()
    with open(path + "/config.yml", "w") as file:
        json.dump(config, file)
    theirs = subprocess.Popen(["docker-registry", "serve", path + "/config.yml"],
                              stderr=open(path + "/log", "w"), stdout=subprocess.DEVNULL)
    try:
        wait_until("docker-registry", lambda: is_open(port) or theirs.poll() is not None, 60)
        layer = os.urandom(12 << 20)
        data = Client(port).push_image("e/theirs", "v1", (layer,))
    except AssertionError as why:
        with open(path + "/log") as log:
            raise AssertionError(f"{why}: {log.read()[-2000:]}") from why
    finally:
        theirs.terminate()
        theirs.wait(60)
    ours = {key: value for key, value in params.items() if key != "secure"}
    with servers(driver, ours, 1, redirect={"disable": True}, delete={"enabled": True}) as (one,):
        web = one.client()
        assert web.get("/v2/e/theirs/manifests/v1").body == data
        assert web.get(f"/v2/e/theirs/blobs/{digest(layer)}").body == layer
        assert "e/theirs" in web.get("/v2/_catalog").json()["repositories"]


def s3_distribution(env):
    """a bucket that distribution filled is served as it stands"""
    make_container(env, "theirs")
    make_container(env, "theirs+segments")
    distribution_bucket("s3", {**s3_params(env, env["S3_URL"]), "bucket": "theirs", "secure": False})


def swift_distribution(env):
    """a container that distribution filled, with dynamic large objects, is served as it stands"""
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


def left_behind(env, container):
    url, token = swift_token(env)
    names = ask(f"{url}/{container}", X_Auth_Token=token).body.decode().split("\n")
    return [name for name in names if name and ".shale" in name and not name.endswith(".shale/health")]


def s3_left(env):
    """no lock, no piece and no upload is left in the bucket by all this"""
    assert not left_behind(env, "shale"), left_behind(env, "shale")
    url, token = swift_token(env)
    segments = ask(f"{url}/shale+segments", X_Auth_Token=token).body.decode()
    objects = ask(f"{url}/shale", X_Auth_Token=token).body.decode().split("\n")
    # Swift keeps the parts of a finished upload there.
    orphans = {line.rsplit("/", 2)[0] for line in segments.split("\n") if line} - set(objects)
    assert not orphans, orphans


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
    "s3": ("swift", "S3_URL", s3_params, [s3_distribution], s3_left),
    "swift": ("swift", "SWIFT_URL", swift_params, [swift_distribution, swift_tokens], swift_left),
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
    port = server.proxy(port_of(base))
    faulty = f"http://{HOST}:{port}"
    params = params_of(server.env, base)
    env = {
        "SHALE_TEST_BUCKET": spec(driver, params, rootdirectory="a/b", pagesize=PAGE),
        "SHALE_TEST_FAULTY": spec(driver, params_of(server.env, faulty), rootdirectory="a/b", pagesize=PAGE,
                                  retries=2, timeout=2),
        "SHALE_TEST_FAULTY_URL": faulty,
        "SHALE_TEST_MANY": MANY,
        "SHALE_TEST_SLOW": os.environ.get("SHALE_TEST_SLOW", "3"),
        "no_proxy": "*",
    }
    for program in (BUCKET, REMOTE):
        run_program(results, driver, program, env)
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
