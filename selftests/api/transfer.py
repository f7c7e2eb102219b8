# SPDX-License-Identifier: GPL-2.0-only
#
# Images over the network, by docker's client and plain requests against Debian's docker-registry: push, pull, log in,
# what a registry has; and what becomes of work whose client goes away.

from daemon import *

shaled = Daemon()
other = Daemon()
peers = {}


def open_peer():
    if "open" not in peers:
        peers["open"] = Peer()
    return peers["open"].name


def closed_peer():
    if "closed" not in peers:
        peers["closed"] = Peer({"somebody": "secret"})
    return peers["closed"].name


def load(names, layers, **more):
    data, ident = make_image(names, layers, **more)
    assert shaled.post("/images/load?quiet=1", data).status == 200
    return ident


def pushed(name):
    """A name that a registry has, put there once."""
    if name not in peers:
        header = auth_header(username="somebody", password="secret")
        peers[name] = load([name], [{"a": b"pushed"}])
        repository, tag = name.rsplit(":", 1)
        lines = shaled.post(f"/images/{repository}/push?tag={tag}", headers=header).lines()
        assert "aux" in lines[-1], lines
    return name


def ids(daemon):
    return {name: image["Id"] for image in daemon.get("/images/json").json() for name in image["RepoTags"]}


@test("docker push and pull: the same image on the other side")
def docker_transfer():
    name = open_peer() + "/one:1"
    ident = load([name], [{"a": b"1" * 100000}, {"b": b"2"}])
    text = shaled.docker("push", name).splitlines()
    assert text[0] == f"The push refers to repository [{name[:-2]}]", text
    assert sum(line.endswith(": Pushed") for line in text) >= 2, text
    digest_line = re.fullmatch(r"1: digest: (sha256:[0-9a-f]{64}) size: \d+", text[-1])
    assert digest_line, text
    assert any("already exists" in line for line in shaled.docker("push", name).splitlines())
    text = other.docker("pull", name).splitlines()
    assert text[0].startswith("1: Pulling from one"), text
    assert f"Digest: {digest_line[1]}" in text and f"Status: Downloaded newer image for {name}" in text, text
    assert sum(line.endswith("Pull complete") for line in text) == 2, text
    assert ids(other)[name] == ident
    assert f"Status: Image is up to date for {name}" in other.docker("pull", name)
    assert other.docker("pull", "-q", f"{name[:-2]}@{digest_line[1]}").endswith(digest_line[1])


@test("the progress stream of a pull is docker's")
def pull_stream():
    name = open_peer() + "/stream:1"
    load([name], [{"a": os.urandom(3000000)}])
    assert shaled.post(f"/images/{name[:-2]}/push?tag=1", headers=auth_header()).status == 200
    answer = other.post(f"/images/create?fromImage={name[:-2]}&tag=1", headers=auth_header())
    assert answer.fields["Content-Type"] == "application/json" and answer.fields["Transfer-Encoding"] == "chunked"
    assert answer.body.endswith(b"\r\n"), answer.body[-10:]
    lines = answer.lines()
    assert lines[0] == {"status": "Pulling from stream", "id": "1"}, lines[0]
    layers = [line for line in lines[1:] if "id" in line]
    assert {tuple(sorted(line)) for line in layers} <= {("id", "progressDetail", "status"),
                                                        ("id", "progress", "progressDetail", "status")}, layers
    words = [line["status"] for line in layers]
    assert words[0] == "Pulling fs layer" and words[-1] == "Pull complete", words
    assert "Downloading" in words and "Download complete" in words and "Extracting" in words, words
    moving = [line for line in layers if line["status"] == "Downloading"]
    assert all(re.fullmatch(r"\[=*> *\] +[\d.]+k?M?B/[\d.]+MB", line["progress"]) for line in moving
               if line["progressDetail"].get("total")), moving
    assert [line["status"].split(":")[0] for line in lines[-2:]] == ["Digest", "Status"], lines[-2:]


@test("the progress stream of a push is docker's")
def push_stream():
    name = open_peer() + "/stream"
    load([name + ":2"], [{"a": os.urandom(1000)}])
    lines = shaled.post(f"/images/{name}/push?tag=2", headers=auth_header()).lines()
    assert lines[0] == {"status": f"The push refers to repository [{name}]"}, lines[0]
    aux = lines[-1]
    check_shape(aux, {"progressDetail": {}, "aux": {"Tag": {"2"}, "Digest": ID, "Size": int}})
    assert lines[-2] == {"status": f"2: digest: {aux['aux']['Digest']} size: {aux['aux']['Size']}"}, lines[-2]


@test("docker push of all tags")
def push_all():
    name = open_peer() + "/many"
    load([name + ":1", name + ":2"], [{"a": b"1"}])
    lines = shaled.post(f"/images/{name}/push", headers=auth_header()).lines()
    assert sorted(line["aux"]["Tag"] for line in lines if "aux" in line) == ["1", "2"], lines
    lines = shaled.post(f"/images/{open_peer()}/none/push", headers=auth_header()).lines()
    assert lines[-1]["error"] == f"An image does not exist locally with the name: {open_peer()}/none", lines


@test("push of what is not there: an error in the stream, and docker's status 1")
def push_missing():
    name = open_peer() + "/nosuch"
    lines = shaled.post(f"/images/{name}/push?tag=1", headers=auth_header()).lines()
    want = f"An image does not exist locally with the tag: {name}"
    assert lines[-1] == {"errorDetail": {"code": 404, "message": want}, "error": want}, lines
    assert want in shaled.docker("push", name + ":1", status=1)


@test("pull of what is not there: 404 before the stream")
def pull_missing():
    name = open_peer() + "/nosuch"
    answer = shaled.post(f"/images/create?fromImage={name}&tag=1")
    assert answer.status == 404 and answer.message().startswith(f"manifest for {name}:1 not found: "), answer.body
    assert f"manifest for {name}:1 not found" in shaled.docker("pull", name + ":1", status=1)


@test("pull from nobody: the failure and its reason")
def pull_nobody():
    name = f"{HOST}:{free_port()}/a"
    answer = shaled.post(f"/images/create?fromImage={name}&tag=1&tries=1")
    assert answer.status == 500 and "cannot pull" in answer.message(), answer.body
    shaled.check()


@test("a platform that an image is not for")
def pull_platform():
    name = pushed(open_peer() + "/other:1")[:-2]
    answer = shaled.post(f"/images/create?fromImage={name}&tag=1&platform=linux/s390x")
    assert answer.status == 404 and "linux/amd64" in answer.message(), answer.body
    assert shaled.post(f"/images/create?fromImage={name}&tag=1&platform=x/y/z/w").status == 400


@test("layers alone, for the next pull")
def download_only():
    name = open_peer() + "/layers"
    load([name + ":1"], [{"a": os.urandom(100000)}])
    shaled.post(f"/images/{name}/push?tag=1", headers=auth_header())
    lines = other.post(f"/images/create?fromImage={name}&tag=1&downloadOnly=1").lines()
    assert lines[-1]["status"] == f"Status: Downloaded layers for {name}:1", lines
    assert name + ":1" not in ids(other)
    assert other.post(f"/images/create?fromImage={name}&tag=1").status == 200
    assert name + ":1" in ids(other)


@test("docker login: the registry is asked, and the password kept by the client")
def docker_login():
    config = {"DOCKER_CONFIG": scratch()}
    name = closed_peer()
    error = shaled.docker("login", "-u", "somebody", "--password-stdin", name, input=b"wrong", status=1, env=config)
    assert "401 unauthorized" in error, error
    assert not os.path.exists(config["DOCKER_CONFIG"] + "/config.json") or \
        name not in open(config["DOCKER_CONFIG"] + "/config.json").read()
    text = shaled.docker("login", "-u", "somebody", "--password-stdin", name, input=b"secret", env=config)
    assert "Login Succeeded" in text, text
    ident = load([name + "/one:1"], [{"a": b"private"}])
    assert "1: digest: " in shaled.docker("push", name + "/one:1", env=config)
    assert "Downloaded newer image" in other.docker("pull", name + "/one:1", env=config)
    assert ids(other)[name + "/one:1"] == ident


@test("auth: what it answers")
def auth():
    name = closed_peer()
    answer = shaled.post("/auth", {"username": "somebody", "password": "secret", "serveraddress": name})
    assert answer.status == 200 and answer.json() == {"Status": "Login Succeeded", "IdentityToken": ""}, answer.body
    answer = shaled.post("/auth", {"username": "somebody", "password": "wrong", "serveraddress": f"http://{name}"})
    assert answer.status == 401 and f"cannot log in to {name}" in answer.message(), answer.body
    assert shaled.post("/auth", {"username": "", "password": "", "serveraddress": name}).status == 400
    assert shaled.post("/auth", {"username": 1}).status == 400
    assert shaled.post("/auth", {"username": "a", "password": "b", "serveraddress": "no/such/"}).status in (400, 500)
    assert "secret" not in shaled.read_log() and "wrong" not in shaled.read_log()


@test("auth with a token service: its refresh token is the identity token")
def auth_token():
    server = TokenServer()
    answer = shaled.post("/auth", {"username": "somebody", "password": "secret", "serveraddress": server.name})
    assert answer.status == 200, answer.body
    assert answer.json() == {"Status": "Login Succeeded", "IdentityToken": "long"}, answer.body
    answer = shaled.post("/auth", {"username": "somebody", "password": "wrong", "serveraddress": server.name})
    assert answer.status == 401, answer.body
    server.close()


@test("without credentials a private repository is not shown, and ours are not used")
def private():
    name = pushed(closed_peer() + "/other:1")[:-2]
    with open(os.environ["DOCKER_CONFIG"] + "/config.json", "w") as file:
        json.dump({"auths": {closed_peer(): {"auth": base64.b64encode(b"somebody:secret").decode()}}}, file)
    try:
        answer = shaled.post(f"/images/create?fromImage={name}&tag=1", headers=auth_header())
        assert answer.status == 404, answer.body
        assert answer.message().startswith(f"pull access denied for {name}, repository does not exist or may require "
                                           "'docker login': "), answer.message()
        load([name + ":9"], [{"a": b"9"}])
        lines = shaled.post(f"/images/{name}/push?tag=9", headers=auth_header()).lines()
        assert lines[-1]["errorDetail"]["code"] == 401, lines
    finally:
        os.unlink(os.environ["DOCKER_CONFIG"] + "/config.json")
    header = auth_header(username="somebody", password="secret", email="", auth="", serveraddress=closed_peer())
    assert shaled.post(f"/images/create?fromImage={name}&tag=1", headers=header).status == 200


@table("a header X-Registry-Auth", [
    ("none", None, 200), ("empty", "", 200), ("an empty object", "e30=", 200), ("without padding", "e30", 200),
    ("null", base64.b64encode(b"null").decode(), 200), ("no base64", "!!!!", 400), ("no JSON", "YWJj", 400),
    ("a list", base64.b64encode(b"[1]").decode(), 400), ("a number for a name", base64.b64encode(
        b'{"username":3}').decode(), 400), ("broken UTF-8", base64.b64encode(b'{"username":"\xff"}').decode(), 400),
    ("17 KiB", "A" * 17000, 400),
])
def auth_headers(text, status):
    headers = {} if text is None else {"X-Registry-Auth": text}
    name = pushed(open_peer() + "/other:1")[:-2]
    answer = shaled.post(f"/images/create?fromImage={name}&tag=1", headers=headers)
    assert answer.status == status, answer.body
    if status != 200:
        assert answer.message().startswith("invalid X-Registry-Auth header: "), answer.message()


@test("settings of the query that are wrong")
def bad_settings():
    for key, value in (("timeout", "0"), ("timeout", "x"), ("tries", "-1"), ("tries", "99999999999"),
                       ("certDir", "relative")):
        answer = shaled.post(f"/images/create?fromImage={open_peer()}/one&tag=1&{key}={value}")
        assert answer.status == 400 and f"invalid value of '{key}'" in answer.message(), (key, answer.body)


@test("what a registry has of an image")
def distribution():
    name = pushed(open_peer() + "/other:1")
    answer = shaled.get(f"/distribution/{name}/json", headers=auth_header())
    assert answer.status == 200, answer.body
    check_shape(answer.json(), {"Descriptor": {"mediaType": str, "digest": ID, "size": int},
                                "Platforms": [{"architecture": {"amd64"}, "os": {"linux"}}]})
    assert len(answer.json()["Platforms"]) == 1
    assert shaled.get(f"/distribution/{open_peer()}/none:1/json").status == 404
    assert shaled.get("/distribution/UPPER/json").status == 400
    assert shaled.get(f"/distribution/{closed_peer()}/other:1/json").status == 401


@test("a client that goes while a registry is waited for takes its pull with it")
def gone():
    silent = Silent()
    daemon = Daemon()
    sock = daemon.connect()
    sock.sendall(f"POST /{VERSION}/images/create?fromImage={silent.name}/a&tag=1 HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 0\r\n\r\n".encode())
    wait_until("the work to begin", lambda: os.listdir(daemon.root + "/tmp"))
    sock.close()
    wait_until("it to be noticed", lambda: "the client has gone" in daemon.read_log())
    wait_until("the work to end", lambda: not os.listdir(daemon.root + "/tmp"))
    silent.close()
    assert daemon.stop() == 0
    daemon.check()


@test("forty pulls that wait do not keep others from being answered")
def many_pulls():
    silent = Silent()
    daemon = Daemon()
    socks = [daemon.connect() for _ in range(40)]
    for n, sock in enumerate(socks):
        sock.sendall(f"POST /{VERSION}/images/create?fromImage={silent.name}/a{n}&tag=1 HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 0\r\n\r\n".encode())
    wait_until("the work to begin", lambda: len(os.listdir(daemon.root + "/tmp")) == len(socks))
    assert daemon.get("/images/json").status == 200
    for sock in socks:
        sock.close()
    wait_until("all to end", lambda: not os.listdir(daemon.root + "/tmp"))
    silent.close()
    assert daemon.stop() == 0


run()
