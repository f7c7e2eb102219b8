# SPDX-License-Identifier: GPL-2.0-only
#
# The registry protocol, row by row of the specification's table of endpoints (1 to 14), what its main
# branch has beyond 1.1, Docker's catalog, and every code of its errors. All tests run on one server.

import json

from registry import *

server = Server(extra={"catalog": {"maxentries": 50}, "tags": {"maxtags": 50}})
web = server.client()
count = 0


def repo():
    global count
    count += 1
    return f"conformance/r{count}"


ABSENT = "sha256:" + "0" * 64


def begin(name, query=""):
    answer = web.post(f"/v2/{name}/blobs/uploads/{query}")
    assert answer.status == 202, answer.status
    return answer


# --- 1: base

@test("1: the base answers 200")
def base():
    answer = web.get("/v2/")
    assert answer.status == 200 and answer["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert web.get("/v2").status == 200
    assert web.head("/v2/").status == 200


@table("1: what is nowhere is 404", [(p.strip("/") or "root", p) for p in (
    "/", "/v1/", "/v3/", "/v2/x", "/v2/x/y", "/v2/x/tags", "/v2/x/manifests/", "/v2/x/blobs/",
    "/v2/x/referrers/", "/v2/x/tags/list/", "/v2//_catalog")])
def nowhere(path):
    assert web.get(path).status in (400, 404)


@table("methods that a resource has not are 405 with Allow", [
    (m + p, m, p) for m, p in (
        ("POST", "/v2/"), ("PUT", "/v2/x/tags/list"), ("PATCH", "/v2/x/manifests/a"),
        ("POST", "/v2/x/blobs/" + ABSENT), ("DELETE", "/v2/x/blobs/uploads/"),
        ("PUT", "/v2/x/referrers/" + ABSENT), ("DELETE", "/v2/_catalog"))])
def method(method, path):
    answer = web.request(method, path)
    assert answer.status == 405 and answer["Allow"] and answer.code() == "UNSUPPORTED"


# --- 2: blobs

@test("2: a blob is sent whole, with its digest and length")
def blob_get():
    name, data = repo(), os.urandom(100000)
    d = web.push_blob(name, data)
    answer = web.get(f"/v2/{name}/blobs/{d}")
    assert answer.status == 200 and answer.body == data
    assert answer["Docker-Content-Digest"] == d and answer["Content-Length"] == "100000"
    assert answer["Accept-Ranges"] == "bytes" and answer["ETag"] == f'"{d}"'
    assert answer["Content-Type"] == "application/octet-stream"


@test("2: HEAD says the same without a body")
def blob_head():
    name, data = repo(), b"x" * 777
    d = web.push_blob(name, data)
    answer = web.head(f"/v2/{name}/blobs/{d}")
    assert answer.status == 200 and answer.body == b""
    assert answer["Content-Length"] == "777" and answer["Docker-Content-Digest"] == d


@test("2: an empty blob")
def blob_empty():
    name = repo()
    d = web.push_blob(name, b"")
    assert web.get(f"/v2/{name}/blobs/{d}").body == b""
    assert web.head(f"/v2/{name}/blobs/{d}")["Content-Length"] == "0"
    assert web.get(f"/v2/{name}/blobs/{d}", Range="bytes=0-").status == 416


@test("2: a blob is 404 where it is not, and in a repository that has it not")
def blob_absent():
    name = repo()
    d = web.push_blob(name, b"elsewhere")
    for path in (f"/v2/{name}/blobs/{ABSENT}", f"/v2/{repo()}/blobs/{d}"):
        answer = web.get(path)
        assert answer.status == 404 and answer.code() == "BLOB_UNKNOWN"
        assert web.head(path).status == 404


RANGES = [
    ("first", "bytes=0-9", 206, (0, 10)), ("middle", "bytes=500-599", 206, (500, 600)),
    ("open", "bytes=1990-", 206, (1990, 2000)), ("suffix", "bytes=-10", 206, (1990, 2000)),
    ("suffix_long", "bytes=-5000", 206, (0, 2000)), ("beyond", "bytes=1000-9999", 206, (1000, 2000)),
    ("one", "bytes=0-0", 206, (0, 1)), ("last", "bytes=1999-1999", 206, (1999, 2000)),
    ("behind", "bytes=5000-10000", 416, None), ("at_end", "bytes=2000-", 416, None),
    ("backwards", "bytes=500-0", 416, None), ("suffix_none", "bytes=-0", 416, None),
    ("huge", "bytes=0-18446744073709551616", 200, (0, 2000)), ("unit", "lines=0-9", 200, (0, 2000)),
    ("many", "bytes=0-1,5-6", 200, (0, 2000)), ("nonsense", "bytes=a-b", 200, (0, 2000)),
    ("empty", "bytes=-", 200, (0, 2000)),
]
ranged = os.urandom(2000)


@table("2: ranges", RANGES)
def blob_range(field, status, part):
    web.push_blob("conformance/ranges", ranged)
    answer = web.get(f"/v2/conformance/ranges/blobs/{digest(ranged)}", Range=field)
    assert answer.status == status, answer.status
    if status == 416:
        assert answer["Content-Range"] == "bytes */2000"
        return
    assert answer.body == ranged[part[0]:part[1]]
    if status == 206:
        assert answer["Content-Range"] == f"bytes {part[0]}-{part[1] - 1}/2000"


@test("2: a client that has a blob is told so")
def blob_not_modified():
    name = repo()
    d = web.push_blob(name, b"cached")
    assert web.get(f"/v2/{name}/blobs/{d}", If_None_Match=f'"{d}"').status == 304


BAD_DIGESTS = [("short", "sha256:abc"), ("upper", "sha256:" + "A" * 64), ("algorithm", "md5:" + "0" * 32),
               ("none", "sha256"), ("colons", "sha256::" + "0" * 64), ("long", "sha256:" + "0" * 65),
               ("dots", "sha256:..%2f..%2fetc"), ("sha512_short", "sha512:" + "0" * 64)]


@table("2: what is no digest is 400", BAD_DIGESTS)
def blob_bad_digest(name):
    for answer in (web.get(f"/v2/x/blobs/{name}"), web.delete(f"/v2/x/blobs/{name}"),
                   web.get(f"/v2/x/referrers/{name}"),
                   web.put(begin("x")["Location"] + f"?digest={name}", b"")):
        assert answer.status in (400, 404), answer.status
        assert answer.code() in ("DIGEST_INVALID", "UNSUPPORTED"), answer.code()


# --- 3: manifests

@test("3: a manifest comes back byte for byte, by tag and by digest")
def manifest_get():
    name = repo()
    data = web.push_image(name, "v1").replace(b": ", b" :  ")
    assert web.push_manifest(name, "v2", data).status == 201
    for reference in ("v2", digest(data)):
        answer = web.get(f"/v2/{name}/manifests/{reference}")
        assert answer.status == 200 and answer.body == data
        assert answer["Content-Type"] == OCI_MANIFEST
        assert answer["Docker-Content-Digest"] == digest(data)
        head = web.head(f"/v2/{name}/manifests/{reference}")
        assert head.status == 200 and head["Content-Length"] == str(len(data)) and head.body == b""
        assert head["Content-Type"] == OCI_MANIFEST and head["Docker-Content-Digest"] == digest(data)


@test("3: its type is the one it was pushed with, without parameters")
def manifest_type():
    name = repo()
    data = json.loads(web.make_image(name))
    del data["mediaType"]
    for media_type in (OCI_MANIFEST, DOCKER_MANIFEST, "application/vnd.example.thing+json"):
        body = json.dumps({**data, "annotations": {"a": media_type}}).encode()
        assert web.push_manifest(name, "t", body, media_type + "; charset=utf-8").status == 201
        assert web.get(f"/v2/{name}/manifests/t")["Content-Type"] == media_type
    with Server(root=server.root + "2") as other:
        client = other.client()
        client.push_image(name, "x")
        assert client.push_manifest(name, "t", body, "application/vnd.example.thing+json").status == 201
        other.stop()
        other.start()
        assert client.get(f"/v2/{name}/manifests/t")["Content-Type"] == "application/vnd.example.thing+json"


@test("3: a manifest that is not there is 404")
def manifest_absent():
    name = repo()
    web.push_image(name, "there")
    for path in (f"/v2/{name}/manifests/no", f"/v2/{name}/manifests/{ABSENT}",
                 f"/v2/none/such/manifests/no", f"/v2/{name}/manifests/-bad"):
        answer = web.get(path)
        assert answer.status == 404 and answer.code() == "MANIFEST_UNKNOWN"


@test("3: a manifest does not show in another repository")
def manifest_elsewhere():
    name, other = repo(), repo()
    data = web.push_image(name, "a")
    web.push_image(other, "b", layers=(b"other",))
    assert web.get(f"/v2/{other}/manifests/{digest(data)}").status == 404


# --- 4: uploads begun, and done at once

@test("4a: a session has a Location, an id of its own, and no bytes")
def upload_begin():
    first, second = begin(repo()), begin(repo())
    assert first["Location"] != second["Location"]
    assert first["Docker-Upload-UUID"] in first["Location"] and first["Range"] == "0-0"


@test("4a: without the last slash, too")
def upload_begin_slash():
    assert web.post(f"/v2/{repo()}/blobs/uploads").status == 202


@test("4b: one POST with the digest is a blob")
def upload_single():
    name, data = repo(), os.urandom(300000)
    answer = web.post(f"/v2/{name}/blobs/uploads/?digest={digest(data)}", data,
                      Content_Type="application/octet-stream")
    assert answer.status == 201 and answer["Docker-Content-Digest"] == digest(data)
    assert web.get(answer["Location"]).body == data


@test("4b: a wrong digest is 400 and leaves nothing")
def upload_single_wrong():
    name = repo()
    answer = web.post(f"/v2/{name}/blobs/uploads/?digest={ABSENT}", b"data")
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"
    assert web.get(f"/v2/{name}/blobs/{ABSENT}").status == 404
    assert not os.path.exists(f"{server.root}/docker/registry/v2/repositories/{name}")


@test("4c: an upload of sha512, and a session told so at its beginning")
def upload_sha512():
    name, data = repo(), os.urandom(5000)
    d = web.push_blob(name, data, "sha512")
    assert web.get(f"/v2/{name}/blobs/{d}").body == data
    data = os.urandom(6000)
    d = digest(data, "sha512")
    answer = begin(name, "?digest-algorithm=sha512")
    answer = web.patch(answer["Location"], data[:2000])
    answer = web.patch(answer["Location"], data[2000:])
    answer = web.put(location(answer) + "digest=" + d)
    assert answer.status == 201 and web.get(f"/v2/{name}/blobs/{d}").body == data


@test("4c: an algorithm named only at the end")
def upload_sha512_late():
    name, data = repo(), os.urandom(6000)
    answer = web.patch(begin(name)["Location"], data)
    answer = web.put(location(answer) + "digest=" + digest(data, "sha512"))
    assert answer.status == 201
    assert web.get(f"/v2/{name}/blobs/{digest(data, 'sha512')}").body == data


@test("4c: an unknown algorithm is 400")
def upload_algorithm():
    answer = web.post(f"/v2/{repo()}/blobs/uploads/?digest-algorithm=md5")
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"


# --- 5, 6: chunks

@test("5: chunks in order, each acknowledged")
def chunks():
    name, data = repo(), os.urandom(250000)
    answer = begin(name)
    for first in range(0, len(data), 100000):
        piece = data[first:first + 100000]
        answer = web.patch(answer["Location"], piece, Content_Range=f"{first}-{first + len(piece) - 1}",
                           Content_Type="application/octet-stream")
        assert answer.status == 202 and answer["Range"] == f"0-{first + len(piece) - 1}"
        assert answer["Location"]
    answer = web.put(location(answer) + "digest=" + digest(data))
    assert answer.status == 201 and web.get(answer["Location"]).body == data


@test("5: a stream of unknown length")
def chunks_stream():
    name, pieces = repo(), [os.urandom(n) for n in (1, 70000, 65536, 3)]
    answer = web.patch(begin(name)["Location"], iter(pieces))
    data = b"".join(pieces)
    assert answer.status == 202 and answer["Range"] == f"0-{len(data) - 1}"
    assert web.put(location(answer) + "digest=" + digest(data)).status == 201


@test("5: a chunk out of order is 416 and says where to go on")
def chunks_order():
    name, data = repo(), os.urandom(3000)
    first = begin(name)
    answer = web.patch(first["Location"], data[1000:2000], Content_Range="1000-1999")
    assert answer.status == 416 and answer.code() == "RANGE_INVALID"
    answer = web.patch(first["Location"], data[:1000], Content_Range="0-999")
    assert answer.status == 202
    for wrong in ("0-999", "2000-2999", "999-1998"):
        refused = web.patch(answer["Location"], data[:1000], Content_Range=wrong)
        assert refused.status == 416 and refused["Range"] == "0-999" and refused["Location"]
        refused = web.put(location(answer) + "digest=" + digest(data), data[:1000], Content_Range=wrong)
        assert refused.status == 416
    answer = web.patch(answer["Location"], data[1000:], Content_Range="1000-2999")
    assert web.put(location(answer) + "digest=" + digest(data)).status == 201


@table("5: a range that is none, or not the body's", [
    ("words", "a-b", 416), ("backwards", "9-0", 416), ("open", "0-", 416), ("length", "0-20", 400)])
def chunk_range(field, status):
    answer = web.patch(begin(repo())["Location"], b"0123456789", Content_Range=field)
    assert answer.status == status, answer.status


@test("5, 6, 13, 14: a session that is not there is 404")
def upload_unknown():
    name = repo()
    for session in ("00000000-0000-0000-0000-000000000000", "x", "..", "%2e%2e%2fx"):
        path = f"/v2/{name}/blobs/uploads/{session}"
        for answer in (web.patch(path, b"x"), web.put(path + "?digest=" + digest(b"x"), b"x"),
                       web.get(path), web.delete(path)):
            assert answer.status == 404 and answer.code() == "BLOB_UPLOAD_UNKNOWN"


@test("5: a session belongs to its repository")
def upload_elsewhere():
    session = begin(repo())["Docker-Upload-UUID"]
    assert web.patch(f"/v2/{repo()}/blobs/uploads/{session}", b"x").status == 404


@test("6: POST, then PUT with everything")
def put_whole():
    name, data = repo(), os.urandom(200000)
    answer = web.put(location(begin(name)) + "digest=" + digest(data), data,
                     Content_Type="application/octet-stream")
    assert answer.status == 201 and answer["Docker-Content-Digest"] == digest(data)
    assert answer["Location"].endswith(f"/v2/{name}/blobs/{digest(data)}")


@test("6: PUT with the last chunk")
def put_last():
    name, data = repo(), os.urandom(2000)
    answer = web.patch(begin(name)["Location"], data[:1500])
    answer = web.put(location(answer) + "digest=" + digest(data), data[1500:], Content_Range="1500-1999")
    assert answer.status == 201 and web.get(answer["Location"]).body == data


@test("6: a wrong digest is 400, none is 400")
def put_wrong():
    name = repo()
    answer = web.put(location(begin(name)) + "digest=" + ABSENT, b"x")
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"
    answer = web.put(begin(name)["Location"], b"x")
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"


@test("6: a finished session is gone, and leaves nothing")
def put_twice():
    name = repo()
    where = location(begin(name))
    assert web.put(where + "digest=" + digest(b"1"), b"1").status == 201
    assert web.put(where + "digest=" + digest(b"1"), b"1").status == 404
    assert not os.path.exists(f"{server.root}/docker/registry/v2/repositories/{name}/_uploads")


@test("6: a blob that is there already is taken again")
def put_known():
    name = repo()
    assert web.push_blob(name, b"again") == web.push_blob(name, b"again")


# --- 7: manifests pushed

@test("7a: a pushed manifest has a Location and its digest")
def manifest_put():
    name = repo()
    data = web.make_image(name)
    answer = web.push_manifest(name, "tag", data)
    assert answer.status == 201 and answer["Docker-Content-Digest"] == digest(data)
    assert web.get(answer["Location"]).body == data and answer["OCI-Subject"] is None


@test("7a: by digest, which must be its own")
def manifest_put_digest():
    name = repo()
    data = web.make_image(name)
    assert web.push_manifest(name, digest(data), data).status == 201
    answer = web.push_manifest(name, ABSENT, data)
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"
    answer = web.push_manifest(name, digest(data, "sha512"), data)
    assert answer.status == 201 and answer["Docker-Content-Digest"] == digest(data, "sha512")
    assert web.get(f"/v2/{name}/manifests/{digest(data, 'sha512')}").body == data


@test("7a: a tag moves")
def manifest_retag():
    name = repo()
    one = web.push_image(name, "t")
    two = web.push_image(name, "t", layers=(b"two",))
    assert web.get(f"/v2/{name}/manifests/t").body == two
    assert web.get(f"/v2/{name}/manifests/{digest(one)}").body == one


@test("7a: a manifest of 4 MiB is taken, a larger one is 413")
def manifest_large():
    name = repo()
    image = json.loads(web.make_image(name))
    image["annotations"] = {"x": ""}
    room = 4 * 1024 * 1024 - len(json.dumps(image))
    image["annotations"]["x"] = "x" * room
    data = json.dumps(image).encode()
    assert len(data) == 4 * 1024 * 1024
    assert web.push_manifest(name, "big", data).status == 201
    assert web.get(f"/v2/{name}/manifests/big").body == data
    for body in (data + b" ", iter([data, b" "])):
        answer = web.put(f"/v2/{name}/manifests/bigger", body, Content_Type=OCI_MANIFEST)
        assert answer.status == 413 and answer.code() == "SIZE_INVALID"


@test("7a: what it refers to must be there")
def manifest_blob_unknown():
    name = repo()
    image = json.loads(web.make_image(name))
    image["layers"].append(descriptor(b"not pushed", OCI_LAYER))
    answer = web.push_manifest(name, "t", json.dumps(image).encode())
    assert answer.status == 404 and answer.code() == "MANIFEST_BLOB_UNKNOWN"
    assert web.get(f"/v2/{name}/manifests/t").status == 404
    other = repo()
    data = web.make_image(other)
    assert web.push_manifest(repo(), "t", data).code() == "MANIFEST_BLOB_UNKNOWN"


@test("7a: layers that may not be distributed need not be there")
def manifest_foreign():
    name = repo()
    for media_type, more in (("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", {}),
                             ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {}),
                             (OCI_LAYER, {"urls": ["https://example.com/x"]})):
        image = json.loads(web.make_image(name))
        image["layers"].append(descriptor(b"elsewhere", media_type, **more))
        assert web.push_manifest(name, "t", json.dumps(image).encode()).status == 201


@test("7a: an index, and one whose manifests are not there")
def manifest_index():
    name = repo()
    image = web.push_image(name, "one")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(image, OCI_MANIFEST)]}
    assert web.push_manifest(name, "all", json.dumps(index).encode(), OCI_INDEX).status == 201
    assert web.get(f"/v2/{name}/manifests/all")["Content-Type"] == OCI_INDEX
    index["manifests"].append(descriptor(b"absent", OCI_MANIFEST))
    answer = web.push_manifest(name, "more", json.dumps(index).encode(), OCI_INDEX)
    assert answer.status == 404 and answer.code() == "MANIFEST_BLOB_UNKNOWN"
    docker = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [descriptor(image, OCI_MANIFEST)]}
    assert web.push_manifest(name, "list", json.dumps(docker).encode(), DOCKER_LIST).status == 201


@test("7a: a subject is said back, and need not be there")
def manifest_subject():
    name = repo()
    image = web.make_image(name, subject=descriptor(b"absent", OCI_MANIFEST))
    answer = web.push_manifest(name, None, image)
    assert answer.status == 201 and answer["OCI-Subject"] == digest(b"absent")


GOOD = {"schemaVersion": 2, "config": descriptor(b"{}", OCI_CONFIG), "layers": []}
BAD_MANIFESTS = [
    ("nothing", b""), ("text", b"hello"), ("cut", b'{"schemaVersion":2'), ("array", b"[]"),
    ("twice", b'{"schemaVersion":2,"schemaVersion":2,"layers":[]}'), ("nul", b"\0"),
    ("version", {**GOOD, "schemaVersion": 1}), ("no_config", {"schemaVersion": 2, "layers": []}),
    ("type", {**GOOD, "mediaType": OCI_INDEX}), ("config_type", {**GOOD, "config": "x"}),
    ("digest", {**GOOD, "config": {**GOOD["config"], "digest": "../../x"}}),
    ("algorithm", {**GOOD, "config": {**GOOD["config"], "digest": "md5:" + "0" * 32}}),
    ("size", {**GOOD, "config": {**GOOD["config"], "size": -1}}),
    ("size_text", {**GOOD, "config": {**GOOD["config"], "size": "2"}}),
    ("layers_object", {**GOOD, "layers": {}}), ("layer", {**GOOD, "layers": [1]}),
    ("subject", {**GOOD, "subject": {"digest": "x"}}), ("deep", b"[" * 100000),
]


@table("7a: a manifest that is none is 400", BAD_MANIFESTS)
def manifest_invalid(body):
    web.push_blob("conformance/bad", b"{}")
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = web.push_manifest("conformance/bad", "t", data)
    assert answer.status == 400 and answer.code() == "MANIFEST_INVALID", (answer.status, answer.body)
    assert web.get("/v2/conformance/bad/manifests/t").status == 404


@test("7a: no layers, as a list, as null, and not at all")
def manifest_no_layers():
    name = repo()
    web.push_blob(name, b"{}")
    for more in ({"layers": []}, {"layers": None}, {}):
        data = json.dumps({"schemaVersion": 2, "config": GOOD["config"], **more}).encode()
        assert web.push_manifest(name, "t", data).status == 201
    index = json.dumps({"schemaVersion": 2, "manifests": None}).encode()
    assert web.push_manifest(name, "i", index, OCI_INDEX).status == 201


@test("7a: schema 1 is refused")
def manifest_schema1():
    answer = web.push_manifest(repo(), "t", b'{"schemaVersion":1}',
                               "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert answer.status == 400 and answer.code() == "MANIFEST_INVALID"


@test("7a: without a type it is what its fields say; with none of these, 400")
def manifest_no_type():
    name = repo()
    image = web.make_image(name)
    assert web.put(f"/v2/{name}/manifests/t", image).status == 201
    assert web.get(f"/v2/{name}/manifests/t")["Content-Type"] == OCI_MANIFEST
    assert web.put(f"/v2/{name}/manifests/t", b"{}").status == 400


@table("7a: what is no tag", [("dash", "-a"), ("dot", ".a"), ("long", "a" * 129), ("sign", "a+b"),
                              ("slash", "a%2fb"), ("blank", "a%20b")])
def manifest_bad_tag(tag):
    answer = web.push_manifest(repo(), tag, b"{}")
    assert answer.status == 400 and answer.code() == "TAG_INVALID"


@test("7a: a tag of 128 characters")
def manifest_long_tag():
    name = repo()
    web.push_image(name, "a" * 128)
    assert web.get(f"/v2/{name}/manifests/{'a' * 128}").status == 200


@test("7b: a push by digest sets tags")
def manifest_tags():
    name = repo()
    data = web.make_image(name)
    tags = [f"tag{i:02}" for i in range(12)]
    query = "&".join("tag=" + tag for tag in tags)
    answer = web.push_manifest(name, digest(data) + "?" + query, data)
    assert answer.status == 201 and answer.all("OCI-Tag") == tags
    assert web.get(f"/v2/{name}/tags/list").json()["tags"] == tags


@test("7b: too many, and one that is none")
def manifest_tags_bad():
    name = repo()
    data = web.make_image(name)
    many = "&".join(f"tag=t{i}" for i in range(40))
    assert web.push_manifest(name, digest(data) + "?" + many, data).status in (400, 414)
    answer = web.push_manifest(name, digest(data) + "?tag=ok&tag=-bad", data)
    assert answer.status == 400 and answer.code() == "TAG_INVALID"
    assert web.get(f"/v2/{name}/manifests/ok").status == 404


# --- 8: tags

def pages(path, key):
    got, links = [], 0
    while path:
        answer = web.get(path)
        assert answer.status == 200
        got.append(answer.json()[key])
        match = re.fullmatch(r'<([^>]*)>; rel="next"', answer["Link"] or "")
        path = match[1] if match else None
        links += 1
        assert links < 100
    return got


@test("8: tags are sorted by bytes, in pages that lead on")
def tags_pages():
    name = repo()
    tags = sorted(["b", "a", "Z", "_x", "0", "a.b", "a-b", "ab", "B"])
    data = web.make_image(name)
    web.push_manifest(name, digest(data) + "?" + "&".join("tag=" + tag for tag in reversed(tags)), data)
    answer = web.get(f"/v2/{name}/tags/list")
    assert answer.json() == {"name": name, "tags": tags} and answer["Link"] is None
    got = pages(f"/v2/{name}/tags/list?n=4", "tags")
    assert got == [tags[0:4], tags[4:8], tags[8:]]
    assert pages(f"/v2/{name}/tags/list?n=3", "tags") == [tags[0:3], tags[3:6], tags[6:]]
    assert web.get(f"/v2/{name}/tags/list?last=a").json()["tags"] == [t for t in tags if t > "a"]
    assert web.get(f"/v2/{name}/tags/list?n=2&last=a").json()["tags"] == [t for t in tags if t > "a"][:2]
    assert web.get(f"/v2/{name}/tags/list?last=zzz").json()["tags"] == []


@test("8: n=0 is an empty page that leads nowhere")
def tags_zero():
    name = repo()
    web.push_image(name, "t")
    answer = web.get(f"/v2/{name}/tags/list?n=0")
    assert answer.status == 200 and answer.json()["tags"] == [] and answer["Link"] is None


@table("8: a number that is none is 400", [("word", "abc"), ("minus", "-1"), ("sign", "%2b1"), ("point", "1.5")])
def tags_number(n):
    name = repo()
    web.push_image(name, "t")
    for path in (f"/v2/{name}/tags/list", "/v2/_catalog"):
        answer = web.get(f"{path}?n={n}")
        assert answer.status == 400 and answer.code() == "PAGINATION_NUMBER_INVALID"


@test("8: more than the server gives at once, and a repository that is not there")
def tags_limits():
    name = repo()
    data = web.make_image(name)
    for first in range(0, 60, 30):
        web.push_manifest(name, digest(data) + "?" + "&".join(
            f"tag=t{i:02}" for i in range(first, first + 30)), data)
    assert [len(page) for page in pages(f"/v2/{name}/tags/list?n=9999", "tags")] == [50, 10]
    assert [len(page) for page in pages(f"/v2/{name}/tags/list", "tags")] == [50, 10]
    answer = web.get("/v2/not/there/tags/list")
    assert answer.status == 404 and answer.code() == "NAME_UNKNOWN"


@test("8: a repository with blobs only has no tags")
def tags_none():
    name = repo()
    web.push_blob(name, b"only")
    assert web.get(f"/v2/{name}/tags/list").json()["tags"] == []


# --- 9, 10: deletions

@test("9: a deleted tag is gone, the manifest and other tags stay")
def delete_tag():
    name = repo()
    data = web.push_image(name, "one")
    web.push_manifest(name, "two", data)
    assert web.delete(f"/v2/{name}/manifests/one").status == 202
    assert web.get(f"/v2/{name}/manifests/one").status == 404
    assert web.delete(f"/v2/{name}/manifests/one").status == 404
    assert web.get(f"/v2/{name}/manifests/two").status == 200
    assert web.get(f"/v2/{name}/manifests/{digest(data)}").status == 200
    assert web.get(f"/v2/{name}/tags/list").json()["tags"] == ["two"]


@test("9: a deleted manifest takes its tags along, and they do not come back with it")
def delete_manifest():
    name = repo()
    data = web.push_image(name, "one")
    keep = web.push_image(name, "keep", layers=(b"keep",))
    web.push_manifest(name, "two", data)
    assert web.delete(f"/v2/{name}/manifests/{digest(data)}").status == 202
    for reference in ("one", "two", digest(data)):
        assert web.get(f"/v2/{name}/manifests/{reference}").status == 404
    assert web.get(f"/v2/{name}/tags/list").json()["tags"] == ["keep"]
    assert web.delete(f"/v2/{name}/manifests/{digest(data)}").status == 404
    assert web.push_manifest(name, digest(data), data).status == 201
    assert web.get(f"/v2/{name}/manifests/one").status == 404
    assert web.get(f"/v2/{name}/manifests/keep").body == keep


@test("9: a tag that has moved on stays when the old manifest goes")
def delete_moved():
    name = repo()
    old = web.push_image(name, "t")
    new = web.push_image(name, "t", layers=(b"new",))
    assert web.delete(f"/v2/{name}/manifests/{digest(old)}").status == 202
    assert web.get(f"/v2/{name}/manifests/t").body == new


@test("10: a deleted blob is gone from its repository only")
def delete_blob():
    name, other = repo(), repo()
    d = web.push_blob(name, b"shared")
    web.push_blob(other, b"shared")
    assert web.delete(f"/v2/{name}/blobs/{d}").status == 202
    assert web.get(f"/v2/{name}/blobs/{d}").status == 404
    answer = web.delete(f"/v2/{name}/blobs/{d}")
    assert answer.status == 404 and answer.code() == "BLOB_UNKNOWN"
    assert web.get(f"/v2/{other}/blobs/{d}").body == b"shared"
    web.push_blob(name, b"shared")
    assert web.get(f"/v2/{name}/blobs/{d}").status == 200


@test("9, 10: without storage.delete.enabled deletions are 405")
def delete_disabled():
    with Server(delete=False) as other:
        client = other.client()
        data = client.push_image("a", "t")
        for path in ("manifests/t", "manifests/" + digest(data), "blobs/" + digest(b"layer")):
            answer = client.delete("/v2/a/" + path)
            assert answer.status == 405 and answer.code() == "UNSUPPORTED"


# --- 11: mounts

@test("11: a blob is mounted from a repository that has it")
def mount():
    name, other = repo(), repo()
    d = web.push_blob(name, b"to mount")
    answer = web.post(f"/v2/{other}/blobs/uploads/?mount={d}&from={name}")
    assert answer.status == 201 and answer["Docker-Content-Digest"] == d
    assert web.get(answer["Location"]).body == b"to mount"


@test("11: from any, where everybody may read everything")
def mount_anonymous():
    d = web.push_blob(repo(), b"to mount anyhow")
    name = repo()
    answer = web.post(f"/v2/{name}/blobs/uploads/?mount={d}")
    assert answer.status == 201 and web.get(f"/v2/{name}/blobs/{d}").body == b"to mount anyhow"


@test("11: what cannot be mounted becomes a session that can be used")
def mount_fallback():
    name, other = repo(), repo()
    d = web.push_blob(name, b"mine")
    for query in (f"mount={ABSENT}&from={name}", f"mount={d}&from={other}", f"mount={d}&from=BAD",
                  f"mount={ABSENT}", f"mount={d}&from=..%2f{name}"):
        target = repo()
        answer = begin(target, "?" + query)
        assert web.put(location(answer) + "digest=" + digest(b"x"), b"x").status == 201


# --- 12: referrers

def push_referrer(name, subject, annotation, **more):
    config = b"{}"
    web.push_blob(name, config)
    data = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, EMPTY_TYPE),
        "layers": [], "subject": descriptor(subject, OCI_MANIFEST), "annotations": {"n": annotation},
        **more,
    }).encode()
    answer = web.push_manifest(name, None, data)
    assert answer.status == 201 and answer["OCI-Subject"] == digest(subject)
    return data


@test("12: referrers are an index of descriptors with type and annotations")
def referrers():
    name = repo()
    image = web.push_image(name, "t")
    one = push_referrer(name, image, 'a"\\\n', artifactType="application/vnd.example.sbom")
    two = push_referrer(name, image, "b")
    web.push_blob(name, b"{}")
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [],
                        "subject": descriptor(image, OCI_MANIFEST)}).encode()
    assert web.push_manifest(name, None, index, OCI_INDEX).status == 201
    answer = web.get(f"/v2/{name}/referrers/{digest(image)}")
    assert answer.status == 200 and answer["Content-Type"] == OCI_INDEX
    assert answer["OCI-Filters-Applied"] is None
    body = answer.json()
    assert body["schemaVersion"] == 2 and body["mediaType"] == OCI_INDEX
    found = {entry["digest"]: entry for entry in body["manifests"]}
    assert found[digest(one)] == descriptor(one, OCI_MANIFEST, artifactType="application/vnd.example.sbom",
                                            annotations={"n": 'a"\\\n'})
    assert found[digest(two)]["artifactType"] == EMPTY_TYPE
    assert found[digest(index)] == descriptor(index, OCI_INDEX)
    assert len(found) == 3
    web.delete(f"/v2/{name}/manifests/{digest(one)}")
    left = web.get(f"/v2/{name}/referrers/{digest(image)}").json()["manifests"]
    assert digest(one) not in [entry["digest"] for entry in left] and len(left) == 2


@test("12: none is an empty index, also of what is not there")
def referrers_none():
    for name in (repo(), "never/seen"):
        answer = web.get(f"/v2/{name}/referrers/{ABSENT}")
        assert answer.status == 200 and answer.json()["manifests"] == []
        assert answer["Content-Type"] == OCI_INDEX


@test("12: a filter is applied and said")
def referrers_filter():
    name = repo()
    image = web.push_image(name, "t")
    one = push_referrer(name, image, "a", artifactType="application/vnd.example.sbom+json")
    push_referrer(name, image, "b", artifactType="application/vnd.example.other")
    answer = web.get(f"/v2/{name}/referrers/{digest(image)}?artifactType=application/vnd.example.sbom%2Bjson")
    assert [entry["digest"] for entry in answer.json()["manifests"]] == [digest(one)]
    assert answer["OCI-Filters-Applied"] == "artifactType"
    answer = web.get(f"/v2/{name}/referrers/{digest(image)}?artifactType=none")
    assert answer.json()["manifests"] == [] and answer["OCI-Filters-Applied"] == "artifactType"


@test("12: pages of referrers")
def referrers_pages():
    name = repo()
    image = web.push_image(name, "t")
    for i in range(7):
        push_referrer(name, image, str(i), artifactType="application/x" if i else "application/y")
    got = pages(f"/v2/{name}/referrers/{digest(image)}?n=3", "manifests")
    assert [len(page) for page in got] == [3, 3, 1]
    assert len({entry["digest"] for page in got for entry in page}) == 7
    got = pages(f"/v2/{name}/referrers/{digest(image)}?n=4&artifactType=application/x", "manifests")
    assert [len(page) for page in got] == [4, 2]


@test("12: a referrer of a subject of sha512, and one that is pushed before its subject")
def referrers_order():
    name = repo()
    image = web.make_image(name)
    one = push_referrer(name, image, "early")
    assert web.push_manifest(name, "t", image).status == 201
    got = web.get(f"/v2/{name}/referrers/{digest(image)}").json()["manifests"]
    assert [entry["digest"] for entry in got] == [digest(one)]


# --- 13, 14: status and cancel

@test("13: a session's state")
def upload_status():
    answer = begin(repo())
    status = web.get(answer["Location"])
    assert status.status == 204 and status["Range"] == "0-0" and status["Location"]
    web.patch(answer["Location"], b"12345")
    status = web.get(answer["Location"])
    assert status.status == 204 and status["Range"] == "0-4"


@test("14: a session that was given up is gone")
def upload_cancel():
    name = repo()
    answer = web.patch(begin(name)["Location"], b"12345")
    assert web.delete(answer["Location"]).status == 204
    assert web.get(answer["Location"]).status == 404
    assert web.delete(answer["Location"]).status == 404
    assert not os.path.exists(f"{server.root}/docker/registry/v2/repositories/{name}")


# --- names

BAD_NAMES = ["UPPER", "a//b", "-a", "a-", "a..b", "a/../b", "a___b", "a%2fb", ".a", "_a", "a/_b", "a b",
             "a/b/..", "%2e%2e", "a%00b", "a:b", "x" * 256]


@table("a name that is none is refused", [(n[:20], n) for n in BAD_NAMES])
def bad_name(name):
    for answer in (web.get(f"/v2/{name.replace(' ', '%20')}/tags/list"),
                   web.post(f"/v2/{name.replace(' ', '%20')}/blobs/uploads/"),
                   web.push_manifest(name.replace(" ", "%20"), "t", b"{}")):
        assert answer.status in (400, 404), answer.status
        assert answer.code() in ("NAME_INVALID", "UNSUPPORTED")


@table("names that are some", [(n[:30], n) for n in (
    "a", "0", "a/b/c/d/e", "a.b_c__d---e", "manifests/blobs", "a/blobs/uploads", "tags/list/x", "x/" * 127 + "x")])
def good_name(name):
    data = web.push_image(name, "t")
    assert web.get(f"/v2/{name}/manifests/t").body == data
    assert web.get(f"/v2/{name}/tags/list").json()["tags"] == ["t"]


# --- the catalog and the rest

@test("the catalog: sorted, in pages")
def catalog():
    with Server(extra={"catalog": {"maxentries": 5}}) as other:
        client = other.client()
        assert client.get("/v2/_catalog").json() == {"repositories": []}
        names = sorted(["b", "a", "a-b", "a/b", "a/b/c", "z9", "m"])
        for name in names:
            client.push_image(name, "t")
        got = client.get("/v2/_catalog?n=3")
        assert got.json()["repositories"] == names[:3]
        assert re.fullmatch(r'<(/v2/_catalog\?[^>]*)>; rel="next"', got["Link"])
        assert client.get("/v2/_catalog").json()["repositories"] == names[:5]
        assert client.get("/v2/_catalog?n=100").json()["repositories"] == names[:5]
        assert client.get("/v2/_catalog?last=a/b").json()["repositories"] == [n for n in names if n > "a/b"]
        assert client.get("/v2/_catalog?n=0").json()["repositories"] == []
        data = client.get("/v2/m/manifests/t").body
        client.delete("/v2/m/manifests/" + digest(data))
        assert "m" not in client.get("/v2/_catalog?last=b").json()["repositories"]


@test("extensions can be discovered")
def discover():
    for path in ("/v2/_oci/ext/discover", f"/v2/{repo()}/_oci/ext/discover"):
        answer = web.get(path)
        assert answer.status == 200 and isinstance(answer.json()["extensions"], list)


@test("read-only mode refuses changes and answers questions")
def readonly():
    with Server() as other:
        client = other.client()
        data = client.push_image("a", "t")
        other.stop()
        other.config["storage"]["maintenance"] = {"readonly": {"enabled": True}}
        other.start()
        assert client.get("/v2/a/manifests/t").body == data
        for answer in (client.post("/v2/a/blobs/uploads/"), client.push_manifest("a", "u", data),
                       client.delete("/v2/a/manifests/t")):
            assert answer.status == 405 and answer.code() == "UNSUPPORTED"


@test("a prefix, fields of the configuration, relative locations, a host")
def prefix():
    extra = {"http": {"prefix": "/my/reg/", "relativeurls": True, "headers": {"X-A": ["b"]}}}
    with Server(extra=extra) as other:
        client = other.client()
        answer = client.get("/my/reg/v2/")
        assert answer.status == 200 and answer["X-A"] == "b"
        assert client.get("/v2/").status == 404
        answer = client.post("/my/reg/v2/a/blobs/uploads/")
        assert answer["Location"].startswith("/my/reg/v2/a/blobs/uploads/")
        assert client.put(location(answer) + "digest=" + digest(b"x"), b"x").status == 201
        other.stop()
        del other.config["http"]["relativeurls"]
        other.config["http"]["host"] = "https://registry.example"
        other.start()
        answer = client.post("/my/reg/v2/a/blobs/uploads/")
        assert answer["Location"].startswith("https://registry.example/my/reg/v2/a/")


@test("locations follow what a proxy says")
def forwarded():
    answer = web.post(f"/v2/{repo()}/blobs/uploads/", X_Forwarded_Proto="https", X_Forwarded_Host="r.example:8443")
    assert answer["Location"].startswith("https://r.example:8443/v2/")
    answer = web.post(f"/v2/{repo()}/blobs/uploads/", X_Forwarded_Host="evil\"<>")
    assert answer["Location"].startswith("/v2/")


server.start()
main()
