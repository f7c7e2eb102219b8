# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that others have written, against our server: skopeo copies images in and out in both formats,
# and Docker distribution's server and ours serve each other's storage.

import gzip

from registry import *


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"no {program}")


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-1000:])
    return done.stdout


def skopeo(*words):
    return run("skopeo", "--insecure-policy", "--tmpdir", scratch(), *words)


def make_layout():
    """An OCI layout of one image with two layers of random bytes."""
    path = scratch()
    blobs = path + "/blobs/sha256"
    os.makedirs(blobs)

    def put(data, media_type):
        with open(f"{blobs}/{digest(data)[7:]}", "wb") as file:
            file.write(data)
        return descriptor(data, media_type)
    plain = [os.urandom(3000000), os.urandom(70000)]
    layers = [gzip.compress(layer) for layer in plain]
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [digest(layer) for layer in plain]}}).encode()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": put(config, OCI_CONFIG),
                           "layers": [put(layer, OCI_LAYER) for layer in layers]}).encode()
    index = {"schemaVersion": 2, "manifests": [
        {**put(manifest, OCI_MANIFEST), "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}
    with open(path + "/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
    with open(path + "/index.json", "w") as file:
        json.dump(index, file)
    return path, manifest, layers


def tree(path):
    found = {}
    for directory, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                found[os.path.relpath(os.path.join(directory, name), path)] = digest(file.read())
    return found


def blobs(path):
    return {k: v for k, v in tree(path).items() if k.startswith("blobs/")}


@test("skopeo copies an image in and out, byte for byte")
def skopeo_oci():
    need("skopeo")
    path, manifest, _ = make_layout()
    with Server() as server:
        here = f"docker://{HOST}:{server.port}/some/image"
        skopeo("copy", "--dest-tls-verify=false", f"oci:{path}:latest", here + ":one")
        assert server.client().get("/v2/some/image/manifests/one").body == manifest
        out = scratch()
        skopeo("copy", "--src-tls-verify=false", here + ":one", f"oci:{out}:latest")
        assert blobs(out) == blobs(path)
        skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", here + ":one",
               f"docker://{HOST}:{server.port}/other/image:two")
        tags = json.loads(skopeo("list-tags", "--tls-verify=false", here))
        assert tags["Tags"] == ["one"], tags
        skopeo("delete", "--tls-verify=false", here + ":one")
        assert server.client().get("/v2/some/image/manifests/one").status == 404
        assert server.client().get("/v2/other/image/manifests/two").body == manifest


@test("skopeo copies an image in Docker's format")
def skopeo_docker():
    need("skopeo")
    path, _, layers = make_layout()
    with Server() as server:
        here = f"docker://{HOST}:{server.port}/image"
        skopeo("copy", "--dest-tls-verify=false", "--format", "v2s2", f"oci:{path}:latest", here + ":d")
        answer = server.client().get("/v2/image/manifests/d")
        assert answer["Content-Type"] == DOCKER_MANIFEST
        out = scratch()
        skopeo("copy", "--src-tls-verify=false", here + ":d", f"dir:{out}")
        got = tree(out)
        for layer in answer.json()["layers"]:
            assert got[layer["digest"][7:]] == layer["digest"]
        shown = json.loads(skopeo("inspect", "--tls-verify=false", here + ":d"))
        assert shown["Digest"] == answer["Docker-Content-Digest"] and len(shown["Layers"]) == len(layers)


@test("a storage that distribution has written is served as it stands, and served on by it after us")
def from_distribution():
    need("docker-registry")
    root = scratch()
    with Distribution(root) as other:
        web = other.client()
        one = web.push_image("a/b", "one", layers=(b"l1", b"l2"))
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX,
                            "manifests": [descriptor(one, OCI_MANIFEST)]}).encode()
        assert web.push_manifest("a/b", "all", index, OCI_INDEX).status == 201
        signature = web.make_image("a/b", layers=(b"sig",), subject=descriptor(one, OCI_MANIFEST))
        assert web.push_manifest("a/b", "sig", signature).status == 201
        session = web.post("/v2/a/b/blobs/uploads/")
        session = web.patch(session["Location"], b"12345")
        path = location(session).split("?")[0]
    with Server(root=root) as server:
        web = server.client()
        assert web.get("/v2/_catalog").json()["repositories"] == ["a/b"]
        assert web.get("/v2/a/b/tags/list").json()["tags"] == ["all", "one", "sig"]
        assert web.get("/v2/a/b/manifests/one").body == one
        answer = web.get("/v2/a/b/manifests/all")
        assert answer.body == index and answer["Content-Type"] == OCI_INDEX
        assert web.get(f"/v2/a/b/blobs/{digest(b'l2')}").body == b"l2"
        found = web.get(f"/v2/a/b/referrers/{digest(one)}").json()["manifests"]
        assert [entry["digest"] for entry in found] == [digest(signature)]
        status = web.get(path)
        assert status.status == 204 and status["Range"] == "0-4"
        web.patch(path, b"678", Content_Range="5-7")
        assert web.put(path + "?digest=" + digest(b"12345678")).status == 201
        two = web.push_image("a/b", "two", layers=(b"l1", b"l3"))
        web.delete("/v2/a/b/manifests/all")
        thing = web.push_image("c", "new", layers=(b"l3",))
        server.stop()
        assert server.verb("check").returncode == 0
    with Distribution(root) as other:
        web = other.client()
        assert web.get("/v2/_catalog").json()["repositories"] == ["a/b", "c"]
        assert sorted(web.get("/v2/a/b/tags/list").json()["tags"]) == ["one", "sig", "two"]
        assert web.get("/v2/a/b/manifests/two").body == two and web.get("/v2/c/manifests/new").body == thing
        assert web.get(f"/v2/a/b/blobs/{digest(b'12345678')}").body == b"12345678"
        assert web.get(f"/v2/a/b/blobs/{digest(b'l3')}").body == b"l3"
        assert web.push_image("a/b", "three")


@test("our storage survives distribution's own collector")
def distribution_collects():
    need("docker-registry")
    root = scratch()
    with Server(root=root) as server:
        image = server.client().push_image("a", "t", layers=(b"keep",))
        server.client().push_blob("a", b"orphan")
        server.stop()
        run("docker-registry", "garbage-collect", Distribution(root).config)
        assert server.verb("check").returncode == 0
        server.start()
        web = server.client()
        assert web.get("/v2/a/manifests/t").body == image
        assert web.get(f"/v2/a/blobs/{digest(b'keep')}").body == b"keep"
        assert web.get(f"/v2/a/blobs/{digest(b'orphan')}").status == 404


main()
