# SPDX-License-Identifier: GPL-2.0-only
#
# docker's client and plain requests against the daemon, without a registry: what it says about itself, images in and
# out, volumes, events; compared field by field with what dockerd answers (shapes.py).

from daemon import *
import shapes

shaled = Daemon()


def load(names, layers, **more):
    data, ident = make_image(names, layers, **more)
    answer = shaled.post("/images/load?quiet=1", data, headers={"Content-Type": "application/x-tar"})
    assert answer.status == 200, (answer.status, answer.body)
    return ident


def images(query=""):
    return shaled.get("/images/json" + query).json()


def names_of(query=""):
    return sorted(name for image in images(query) for name in image["RepoTags"])


def clear():
    for image in images():
        shaled.delete(f"/images/{image['Id']}?force=1")
    assert images() == []


def filters(**given):
    from urllib.parse import quote
    return "filters=" + quote(json.dumps({key: {value: True} for key, value in given.items()}))


@test("a ping says which versions are spoken, without one")
def ping():
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        for path in ("/_ping", "/v1.24/_ping"):
            answer = shaled.ask(method, path)
            assert (answer.status, answer.body) == (200, body), (answer.status, answer.body)
            got = {name: answer.fields[name] for name in (
                "Api-Version", "Docker-Experimental", "Ostype", "Builder-Version", "Swarm", "Cache-Control", "Pragma")}
            assert got == {"Api-Version": "1.47", "Docker-Experimental": "false", "Ostype": "linux",
                           "Builder-Version": "1", "Swarm": "inactive", "Pragma": "no-cache",
                           "Cache-Control": "no-cache, no-store, must-revalidate"}, got
            assert answer.fields["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.fields["Server"].startswith("Shale/")


@table("a version of the API", [
    ("oldest", "v1.24", 200, None),
    ("newest", "v1.47", 200, None),
    ("too old", "v1.23", 400, "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade "
                              "your client to a newer version"),
    ("too new", "v1.48", 400, "client version 1.48 is too new. Maximum supported API version is 1.47"),
    ("another major one", "v2.0", 400, "client version 2.0 is too new. Maximum supported API version is 1.47"),
    ("without a minor one", "v1", 400, "client version 1 is too old. Minimum supported API version is 1.24, please "
                                       "upgrade your client to a newer version"),
    ("with too many digits", "v1.99999999999", 400, "client version 1.99999999999 is too new. Maximum supported API "
                                                    "version is 1.47"),
    ("no version", "vx.y", 404, "page not found"),
])
def version(path, status, message):
    answer = shaled.get(f"/{path}/info")
    assert answer.status == status, (answer.status, answer.body)
    assert message is None or answer.message() == message, answer.message()


@test("version and info have dockerd's fields")
def about():
    check_shape(shaled.get("/version").json(), shapes.VERSION)
    check_shape(shaled.get("/info").json(), shapes.INFO)
    assert shaled.get("/info").json()["ID"] == shaled.get("/info").json()["ID"]


@test("docker version and docker info")
def docker_about():
    server = shaled.docker_json("version")[0]["Server"]
    assert server["ApiVersion"] == "1.47" and server["MinAPIVersion"] == "1.24", server
    info = shaled.docker_json("info")[0]
    assert info["ServerVersion"] == server["Version"] and info["DockerRootDir"] == shaled.root, info
    assert "Storage Driver: " + info["Driver"] in shaled.docker("info")


@test("docker import, images, history, tag, rmi")
def docker_images():
    clear()
    tar = make_tar({"etc": None, "etc/issue": b"hello\n"})
    ident = shaled.docker("import", "-m", "made", "-c", "CMD [\"/bin/sh\"]", "-c", "ENV A=b", "-", "base:1", input=tar)
    assert ID.fullmatch(ident), ident
    row = shaled.docker_json("images", "--no-trunc")[0]
    assert (row["Repository"], row["Tag"], row["ID"], row["Size"]) == ("base", "1", ident, "6B"), row
    assert shaled.docker("images", "-q") == ident[7:19]
    assert shaled.docker("images", "--digests", "--format", "{{.Digest}}").startswith("sha256:")
    config = json.loads(shaled.docker("inspect", "base:1"))[0]
    assert config["Config"]["Cmd"] == ["/bin/sh"] and config["Config"]["Env"] == ["A=b"], config["Config"]
    assert config["Comment"] == "made", config
    step = shaled.docker_json("history", "--no-trunc", "base:1")[0]
    assert (step["ID"], step["Comment"], step["Size"]) == (ident, "made", "6B"), step
    assert shaled.docker("tag", "base:1", "other/name:2") == ""
    assert names_of() == ["base:1", "other/name:2"]
    assert shaled.docker("rmi", "other/name:2") == "Untagged: other/name:2"
    layer = config["RootFS"]["Layers"][0]
    assert shaled.docker("rmi", "base:1").splitlines() == ["Untagged: base:1", f"Deleted: {ident}", f"Deleted: {layer}"]
    assert images() == []


@test("docker import gives what is made a platform, and refuses what it cannot do")
def docker_import():
    clear()
    tar = make_tar({"a": b"1"})
    shaled.docker("import", "--platform", "linux/arm64", "-", "arm:1", input=tar)
    assert json.loads(shaled.docker("inspect", "arm:1"))[0]["Architecture"] == "arm64"
    error = shaled.docker("import", "http://127.0.0.1:1/x.tar", status=1)
    assert "not made of what is at a URL" in error, error
    error = shaled.docker("import", "-c", "COPY a b", "-", "x:1", input=tar, status=1)
    assert "COPY" in error, error
    error = shaled.docker("import", "-", "x:1", input=b"no tar at all" * 100, status=1)
    assert names_of() == ["arm:1"], error


@test("docker save and load: the same image, and several in one")
def docker_save():
    clear()
    one = load(["one:1", "one:2"], [{"a": b"1"}, {"b": b"2"}])
    two = load(["two:1"], [{"a": b"1"}, {"c": b"3"}])
    path = scratch() + "/saved.tar"
    shaled.docker("save", "-o", path, "one:1", "one:2", "two:1")
    clear()
    assert shaled.docker("load", "-i", path).splitlines() == [
        "Loaded image: one:1", "Loaded image: one:2", "Loaded image: two:1"]
    assert {image["Id"]: sorted(image["RepoTags"]) for image in images()} == {one: ["one:1", "one:2"],
                                                                             two: ["two:1"]}
    shaled.docker("save", "-o", path, one)
    clear()
    assert shaled.docker("load", "-q", "-i", path) == f"Loaded image ID: {one}"
    assert shaled.docker("load", "-i", path).splitlines()[-1] == f"Loaded image ID: {one}"


@test("docker load of what is none: a clear error, and nothing stays")
def docker_load_bad():
    clear()
    for data in (b"", b"no archive", make_tar({"etc/issue": b"x"}), make_image(["a:1"], [{"a": b"1"}])[0][:2048]):
        error = shaled.docker("load", input=data, status=1)
        assert len(error.splitlines()) == 1 and "/dev/" not in error and "/proc/" not in error, error
    assert images() == []
    shaled.check()


@test("the summary, the inspection and the history of an image have dockerd's fields")
def image_shapes():
    clear()
    parent = load(["base:1"], [{"a": b"1"}], labels={"k": "v"})
    child = load(["base:2"], [{"a": b"1"}, {"b": b"22"}], labels={"k": "v"})
    check_shape(images(), [shapes.SUMMARY])
    check_shape(shaled.get("/v1.41/images/json").json(), [shapes.OLD_SUMMARY])
    by_id = {image["Id"]: image for image in images()}
    assert by_id[child]["ParentId"] == parent and by_id[parent]["ParentId"] == ""
    assert (by_id[child]["Size"], by_id[child]["Containers"], by_id[child]["SharedSize"]) == (3, -1, -1)
    assert by_id[parent]["Labels"] == {"k": "v"}
    shared = {image["Id"]: image["SharedSize"] for image in images("?shared-size=1")}
    assert shared == {parent: 1, child: 1}, shared
    one = shaled.get("/images/base:2/json").json()
    check_shape(one, shapes.IMAGE)
    check_shape(shaled.get("/v1.41/images/base:2/json").json(), shapes.OLD_IMAGE)
    assert one["Parent"] == parent and one["Created"] == "2024-05-06T07:08:09Z", one
    for name in (child, child[7:], child[7:19], "docker.io/library/base:2", "base:2@" + by_id[child]["RepoDigests"][0][5:]):
        assert shaled.get(f"/images/{name}/json").json()["Id"] == child, name
    steps = shaled.get("/images/base:2/history").json()
    check_shape(steps, [shapes.STEP])
    assert [(s["CreatedBy"], s["Size"], s["Id"], s["Tags"]) for s in steps] == [
        ("step 1", 2, child, ["base:2"]), ("step 0", 1, parent, ["base:1"])], steps


@test("an image without a name is shown as each version of the API has it")
def nameless():
    clear()
    load(["base:1"], [{"a": b"1"}])
    load(["base:1"], [{"a": b"2"}])
    old = [image for image in shaled.get("/v1.42/images/json").json() if image["RepoTags"] == ["<none>:<none>"]]
    assert len(old) == 1 and old[0]["RepoDigests"] == ["<none>@<none>"], old
    new = [image for image in images() if not image["RepoTags"]]
    assert len(new) == 1 and new[0]["RepoDigests"] == [] and new[0]["Id"] == old[0]["Id"]
    assert shaled.docker("images", "-f", "dangling=true", "-q") == new[0]["Id"][7:19]


@table("a filter of images", [
    ("dangling", {"dangling": "true"}, []),
    ("not dangling", {"dangling": "0"}, ["a:1", "a:2", "reg.example/a/b:1"]),
    ("reference of a repository", {"reference": "a"}, ["a:1", "a:2"]),
    ("reference with a tag", {"reference": "a:2"}, ["a:2"]),
    ("reference with a pattern", {"reference": "reg.*/*/b"}, ["reg.example/a/b:1"]),
    ("a star ends at a slash", {"reference": "*b"}, []),
    ("a label", {"label": "k"}, ["a:1"]),
    ("a label's value", {"label": "k=v"}, ["a:1"]),
    ("another value", {"label": "k=w"}, []),
    ("without a label", {"label!": "k"}, ["a:2", "reg.example/a/b:1"]),
    ("before", {"before": "a:2"}, ["a:1"]),
    ("since", {"since": "a:1"}, ["a:2", "reg.example/a/b:1"]),
    ("until", {"until": "2024-06-01T00:00:00"}, ["a:1"]),
])
def filtered(given, want):
    if names_of() != ["a:1", "a:2", "reg.example/a/b:1"]:
        clear()
        load(["a:1"], [{"a": b"1"}], labels={"k": "v"})
        load(["a:2"], [{"a": b"2"}], created="2024-07-01T00:00:00Z")
        load(["reg.example/a/b:1"], [{"a": b"3"}], created="2024-08-01T00:00:00Z")
    assert names_of("?" + filters(**given)) == want, names_of("?" + filters(**given))


@table("filters that are wrong", [
    ("an unknown one", '{"nope":{"x":true}}', "invalid filter 'nope'"),
    ("no boolean", '{"dangling":{"maybe":true}}', "invalid filter 'dangling=[maybe]'"),
    ("both", '{"dangling":{"true":true,"false":true}}', "invalid filter 'dangling': both true and false"),
    ("no JSON", "{", "invalid filter: it is no JSON object of filters"),
    ("a list", "[]", "invalid filter: it is no JSON object of filters"),
    ("a number", '{"label":3}', "invalid filter: it is no JSON object of filters"),
    ("no time", '{"until":["yesterday"]}', "invalid filter 'until=yesterday'"),
])
def bad_filters(text, message):
    from urllib.parse import quote
    answer = shaled.get("/images/json?filters=" + quote(text))
    assert (answer.status, answer.message()) == (400, message), (answer.status, answer.body)


@test("filters in the older form are the same")
def old_filters():
    clear()
    load(["a:1"], [{"a": b"1"}], labels={"k": "v"})
    assert names_of('?filters={"label":["k=v"]}') == ["a:1"]
    assert names_of('?filters={"label":["k=w"]}') == []
    assert names_of("?filters=") == ["a:1"]


NONE = "sha256:" + "1" * 64


@table("what is not there, or is no name", [
    ("inspect", "GET", "/images/nosuch/json", 404, "No such image: nosuch:latest"),
    ("inspect by tag", "GET", "/images/nosuch:1/json", 404, "No such image: nosuch:1"),
    ("inspect by ID", "GET", f"/images/{NONE}/json", 404, f"No such image: {NONE}"),
    ("history", "GET", "/images/nosuch/history", 404, "No such image: nosuch:latest"),
    ("tag", "POST", "/images/nosuch/tag?repo=a&tag=b", 404, "No such image: nosuch:latest"),
    ("remove", "DELETE", "/images/nosuch", 404, "No such image: nosuch:latest"),
    ("save", "GET", "/images/nosuch/get", 404, "No such image: nosuch"),
    ("save of several", "GET", "/images/get?names=nosuch", 404, "No such image: nosuch"),
    ("no name", "GET", "/images/UPPER/json", 400, "invalid reference format: *"),
    ("dots", "GET", "/images/..%2f..%2fetc%2fpasswd/json", 400, "invalid reference format: *"),
    ("more dots", "GET", "/images/../../etc/passwd/json", 400, "invalid reference format: *"),
    ("a name that is too long", "GET", f"/images/{'a' * 600}/json", 400, "the name is longer than 511 bytes"),
    ("no tag", "POST", "/images/nosuch/tag?repo=a&tag=b:c", 400, "invalid reference format: *"),
    ("no repository", "POST", "/images/nosuch/tag", 400, "invalid reference format: *"),
    ("save of nothing", "GET", "/images/get", 400, "the query has no 'names'"),
    ("create of nothing", "POST", "/images/create", 400, "the query has neither 'fromImage' nor 'fromSrc'"),
    ("a container", "GET", "/containers/nosuch/json", 404, "No such container: nosuch"),
    ("a container's removal", "DELETE", "/containers/nosuch", 404, "No such container: nosuch"),
    ("a container's start", "POST", "/containers/nosuch/start", 404, "No such container: nosuch"),
    ("a new container of nothing", "POST", "/containers/create", 400, "no image is named"),
    ("commit", "POST", "/commit?container=nosuch", 404, "No such container: nosuch"),
    ("search", "GET", "/images/search?term=a", 501, "GET images/search is not served by shaled"),
    ("a network", "GET", "/networks/nosuch", 404, "network nosuch not found"),
    ("a volume", "GET", "/volumes/nosuch", 404, "get nosuch: no such volume"),
    ("no such path", "GET", "/nope", 404, "page not found"),
    ("no such method", "PATCH", "/images/json", 404, "page not found"),
    ("an empty path", "GET", "/", 404, "page not found"),
    ("a wrong escape", "GET", "/images/%zz/json", 400, "the path or the query is malformed"),
    ("an encoded NUL", "GET", "/images/a%00b/json", 400, "the path or the query is malformed"),
])
def missing(method, path, status, message):
    answer = shaled.ask(method, path)
    assert answer.status == status, (answer.status, answer.body)
    got = answer.message()
    assert got == message or (message.endswith("*") and got.startswith(message[:-1])), got
    assert answer.fields["Content-Type"] == "application/json"


@test("docker's words for what is not there, with status 1")
def docker_missing():
    clear()
    assert shaled.docker("rmi", "nosuch", status=1) == "Error: No such image: nosuch" or \
        "No such image: nosuch:latest" in shaled.docker("rmi", "nosuch", status=1)
    assert "No such image: nosuch:latest" in shaled.docker("history", "nosuch", status=1)
    assert "No such image: nosuch:latest" in shaled.docker("tag", "nosuch", "a:1", status=1)
    assert "No such object: nosuch" in shaled.docker("inspect", "nosuch", status=1)
    assert "No such image: nosuch" in shaled.docker("save", "-o", scratch() + "/x", "nosuch", status=1)
    assert shaled.docker("ps", "-a", "-q") == ""
    assert shaled.docker("network", "ls", "-q") == ""


@test("removing: several names need force, an ID stands for all of them")
def remove():
    clear()
    ident = load(["a:1", "b:1"], [{"a": b"1"}])
    answer = shaled.delete(f"/images/{ident}")
    assert answer.status == 409 and answer.message().startswith("conflict: unable to delete "), answer.body
    assert "must be forced" in answer.message(), answer.message()
    assert names_of() == ["a:1", "b:1"]
    got = shaled.delete(f"/images/{ident}?force=1&noprune=1").json()
    assert sorted(map(str, got)) == sorted(map(str, [{"Untagged": "a:1"}, {"Untagged": "b:1"}, {"Deleted": ident},
                                                     {"Deleted": digest(make_tar({"a": b"1"}))}])), got


@test("pruning: what has no name, or is not in use; by label and time")
def prune():
    clear()
    load(["a:1"], [{"a": b"1"}], labels={"keep": "1"})
    hidden = load(["b:1"], [{"a": b"22"}])
    load(["b:1"], [{"a": b"333"}])
    assert shaled.post("/images/prune?" + filters(label="nope")).json() == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    got = shaled.post("/images/prune").json()
    assert {"Deleted": hidden} in got["ImagesDeleted"] and got["SpaceReclaimed"] > 0, got
    assert names_of() == ["a:1", "b:1"]
    assert shaled.post("/images/prune?" + filters(dangling="false", until="1h")).json()["ImagesDeleted"]
    assert images() == []
    load(["a:1"], [{"a": b"1"}], labels={"keep": "1"})
    load(["b:1"], [{"a": b"22"}])
    assert "untagged: b:1" in shaled.docker("image", "prune", "-a", "-f", "--filter", "label!=keep")
    assert names_of() == ["a:1"]
    assert shaled.post("/images/prune?" + filters(nope="1")).status == 400


@test("volumes have dockerd's fields, and come and go once")
def volumes():
    made = shaled.post("/volumes/create", {"Name": "vv", "Labels": {"k": "v"}})
    assert made.status == 201, made.body
    check_shape(made.json(), shapes.VOLUME)
    path = made.json()["Mountpoint"]
    assert path == f"{shaled.root}/volumes/vv/_data" and os.path.isdir(path)
    open(path + "/file", "w").close()
    assert shaled.post("/volumes/create", {"Name": "vv"}).json() == made.json()
    assert shaled.get("/volumes/vv").json() == made.json()
    listed = shaled.get("/volumes").json()
    check_shape(listed, {"Volumes": [shapes.VOLUME], "Warnings": None})
    assert [v["Name"] for v in listed["Volumes"]] == ["vv"]
    assert [v["Name"] for v in shaled.get("/volumes?" + filters(name="v")).json()["Volumes"]] == ["vv"]
    assert shaled.get("/volumes?" + filters(label="k=w")).json()["Volumes"] == []
    answer = shaled.delete("/volumes/vv")
    assert (answer.status, answer.body) == (204, b"")
    assert not os.path.exists(f"{shaled.root}/volumes/vv")
    assert shaled.delete("/volumes/vv").status == 404
    assert shaled.delete("/volumes/vv?force=1").status == 204
    shaled.check()


@table("a volume that cannot be made", [
    ("a short name", {"Name": "a"}, 400, "create a: volume name is too short*"),
    ("dots", {"Name": "../x"}, 400, 'create ../x: "../x" includes invalid characters for a local volume name*'),
    ("a long name", {"Name": "a" * 241}, 400, "create aaaaaaaaaaaaaaaaaaaa...: volume name is longer than 240"),
    ("another driver", {"Name": "vx", "Driver": "nfs"}, 404, 'create vx: error looking up volume plugin nfs*'),
    ("options", {"Name": "vx", "DriverOpts": {"type": "tmpfs"}}, 400, "create vx: the local driver takes no options*"),
    ("a name that is a number", {"Name": 3}, 400, "invalid JSON: 'Name' is of the wrong type"),
    ("labels that are a list", {"Labels": []}, 400, "invalid JSON: 'Labels' is of the wrong type"),
    ("a label that is a number", {"Labels": {"a": 1}}, 400, "label 'a' is no text"),
])
def bad_volume(body, status, message):
    answer = shaled.post("/volumes/create", body)
    assert answer.status == status, (answer.status, answer.body)
    got = answer.message()
    assert got == message or (message.endswith("*") and got.startswith(message[:-1])), got
    assert shaled.get("/volumes").json()["Volumes"] == []


@test("docker volume create, ls, inspect, rm, prune")
def docker_volume():
    assert shaled.docker("volume", "create", "--label", "k=v", "named") == "named"
    unnamed = shaled.docker("volume", "create")
    assert re.fullmatch("[0-9a-f]{64}", unnamed), unnamed
    assert shaled.docker("volume", "ls", "-q").splitlines() == sorted([unnamed, "named"])
    assert json.loads(shaled.docker("volume", "inspect", "named"))[0]["Labels"] == {"k": "v"}
    pruned = shaled.post("/volumes/prune").json()
    assert pruned == {"VolumesDeleted": [unnamed], "SpaceReclaimed": 0}, pruned
    with open(f"{shaled.root}/volumes/named/_data/x", "w") as file:
        file.write("12345")
    pruned = shaled.post("/volumes/prune?" + filters(all="1")).json()
    assert pruned == {"VolumesDeleted": ["named"], "SpaceReclaimed": 5}, pruned
    shaled.docker("volume", "create", "gone")
    assert shaled.docker("volume", "rm", "gone") == "gone"
    assert "no such volume" in shaled.docker("volume", "rm", "gone", status=1).lower()


@test("docker system df and prune")
def system():
    clear()
    load(["a:1"], [{"a": b"1" * 1000}])
    load(["a:1"], [{"a": b"2" * 500}])
    shaled.docker("volume", "create", "vol")
    check_shape(shaled.get("/system/df").json(), shapes.DF)
    rows = {row["Type"]: row for row in shaled.docker_json("system", "df")}
    assert (rows["Images"]["TotalCount"], rows["Images"]["Size"]) == ("2", "1.5kB"), rows
    assert rows["Local Volumes"]["TotalCount"] == "1", rows
    assert "vol" in shaled.docker("system", "df", "-v")
    only = shaled.get("/system/df?type=volume").json()
    assert only["Images"] is None and len(only["Volumes"]) == 1, only
    text = shaled.docker("system", "prune", "-f")
    assert "deleted: sha256:" in text and "Total reclaimed space:" in text, text
    assert names_of() == ["a:1"] and len(images()) == 1
    shaled.delete("/volumes/vol")


@test("events: what was and what comes, by filters, up to a time")
def events():
    clear()
    since = time.time()
    ident = load(["e:1"], [{"a": b"1"}])
    shaled.post("/images/e:1/tag?repo=e&tag=2")
    shaled.delete("/images/e:2")
    shaled.post("/volumes/create", {"Name": "ev"})
    shaled.delete("/volumes/ev")
    span = f"since={since:.9f}&until={time.time() + 0.5:.9f}"
    got = shaled.get("/events?" + span).lines()
    check_shape([e for e in got if e["Type"] == "image"], [shapes.EVENT])
    check_shape([e for e in got if e["Type"] == "volume"], [shapes.VOLUME_EVENT])
    assert [(e["Type"], e["Action"], e["Actor"]["ID"]) for e in got] == [
        ("image", "load", ident), ("image", "tag", ident), ("image", "untag", ident), ("volume", "create", "ev"),
        ("volume", "destroy", "ev")], got
    assert [e["Action"] for e in shaled.get(f"/events?{span}&" + filters(type="volume")).lines()] == [
        "create", "destroy"]
    assert [e["Action"] for e in shaled.get(f"/events?{span}&" + filters(event="tag")).lines()] == ["tag"]
    assert [e["Action"] for e in shaled.get(f"/events?{span}&" + filters(image="e:2")).lines()] == ["tag", "untag"]
    lines = shaled.docker("events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}").splitlines()
    assert len(lines) == 5 and "image tag " + ident in lines[1], lines
    assert shaled.get("/events?since=5&until=4").status == 400
    assert shaled.get("/events?since=nope").status == 400


@test("events come while they are listened to; a listener that goes is forgotten")
def live_events():
    clear()
    load(["e:1"], [{"a": b"1"}])
    sock = shaled.connect()
    sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(4096)
    assert shaled.get("/info").json()["NEventsListener"] == 1
    shaled.post("/images/e:1/tag?repo=e&tag=live")
    while b"e:live" not in got:
        piece = sock.recv(4096)
        assert piece, got
        got += piece
    sock.close()
    wait_until("the listener to be forgotten", lambda: shaled.get("/info").json()["NEventsListener"] == 0)


@test("a hundred listeners do not keep others from being answered")
def many_listeners():
    socks = [shaled.connect() for _ in range(100)]
    for sock in socks:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until("all to listen", lambda: shaled.get("/info").json()["NEventsListener"] == 100)
    assert shaled.get("/images/json").status == 200
    for sock in socks:
        sock.close()
    wait_until("all to be forgotten", lambda: shaled.get("/info").json()["NEventsListener"] == 0)


@table("a boolean of a query", [("1", "1", True), ("true", "true", True), ("anything", "anything", True),
                                ("0", "0", False), ("false", "False", False), ("no", "no", False),
                                ("none", "none", False), ("empty", "", False), ("blanks", "%20no%20", False)])
def boolean(text, want):
    data, ident = make_image(["q:1"], [{"a": b"1"}])
    lines = shaled.post(f"/images/load?quiet={text}", data).lines()
    assert [line for line in lines if "progressDetail" in line] == [] or not want, lines
    assert lines[-1] == {"stream": "Loaded image: q:1\n"}, lines


run()
