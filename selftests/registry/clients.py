# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that others have written, against our server: skopeo copies images in and out in both formats; podman,
# buildah, containerd and shale itself pull and push; Docker distribution's server and ours serve each other's storage, and
# it pulls from us for its own clients.

import gzip
import io
import tarfile

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


def make_tar(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def make_layout():
    """An OCI layout of one image with two layers, each a file of random bytes."""
    path = scratch()
    blobs = path + "/blobs/sha256"
    os.makedirs(blobs)

    def put(data, media_type):
        with open(f"{blobs}/{digest(data)[7:]}", "wb") as file:
            file.write(data)
        return descriptor(data, media_type)
    plain = [make_tar("large", os.urandom(3000000)), make_tar("small", os.urandom(70000))]
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



def diff_ids(web, repo, answer):
    config = web.get(f"/v2/{repo}/blobs/{answer.json()['config']['digest']}")
    return config.json()["rootfs"]["diff_ids"]


def copy_in(server, path, name="some/image:one"):
    skopeo("copy", "--dest-tls-verify=false", f"oci:{path}:latest", f"docker://{HOST}:{server.port}/{name}")


@table("pulls an image, and pushes it elsewhere", [("podman", "podman"), ("buildah", "buildah")])
def containers_tools(program):
    need("skopeo", program)
    if os.geteuid():
        raise Skip("needs root")
    path, _, _ = make_layout()
    store = scratch()
    # Else podman's locks are in a place of the whole machine.
    os.environ["CONTAINERS_CONF"] = store + "/containers.conf"
    with open(store + "/containers.conf", "w") as file:
        file.write('[engine]\nlock_type = "file"\n')
    options = ["--root", store + "/root", "--runroot", store + "/run", "--storage-driver", "vfs"]
    if program == "podman":
        options += ["--cgroup-manager", "cgroupfs", "--events-backend", "none", "--tmpdir", store + "/tmp"]
    with Server() as server:
        copy_in(server, path)
        name = f"{HOST}:{server.port}"
        run(program, *options, "pull", "-q", "--tls-verify=false", name + "/some/image:one")
        run(program, *options, "push", "-q", "--tls-verify=false", name + "/some/image:one", f"docker://{name}/other/image:two")
        web = server.client()
        one, two = web.get("/v2/some/image/manifests/one"), web.get("/v2/other/image/manifests/two")
        assert two.status == 200 and one.json()["config"]["digest"] == two.json()["config"]["digest"]
        assert diff_ids(web, "some/image", one) == diff_ids(web, "other/image", two)
        run(program, *options, "rmi", "-a", "-f")
        # What was pushed can be had, and its layers are what the configuration says.
        run(program, *options, "pull", "-q", "--tls-verify=false", name + "/other/image:two")


@test("shale pulls an image and pushes it elsewhere, byte for byte")
def shale():
    need("skopeo")
    if os.geteuid():
        raise Skip("needs root")
    path, manifest, _ = make_layout()
    program, store = TOP + "/build/user/shale", scratch()
    with Server() as server:
        copy_in(server, path)
        name = f"{HOST}:{server.port}"
        run(program, "pull", "--root", store, "-q", name + "/some/image:one")
        run(program, "tag", "--root", store, name + "/some/image:one", name + "/other/image:two")
        run(program, "push", "--root", store, "-q", name + "/other/image:two")
        assert server.client().get("/v2/other/image/manifests/two").body == manifest


class Containerd:
    """containerd with a root, state and socket of its own, and nothing that needs a network or a kernel's driver."""

    CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = "{0}/sock"
[ttrpc]
address = "{0}/ttrpc"
"""

    def __enter__(self):
        self.dir = scratch()
        with open(self.dir + "/config.toml", "w") as file:
            file.write(self.CONFIG.format(self.dir))
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen(["containerd", "-c", self.dir + "/config.toml"], stdout=self.log, stderr=self.log)
        atexit.register(self.process.kill)
        wait_until("containerd", lambda: self.process.poll() is not None or self.answers(), 40)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def answers(self):
        return subprocess.run(["ctr", "-a", self.dir + "/sock", "version"], capture_output=True, timeout=20).returncode == 0

    def ctr(self, *words):
        return run("ctr", "-a", self.dir + "/sock", *words)


@test("containerd pulls an image, and pushes it elsewhere, byte for byte")
def containerd():
    need("skopeo", "containerd", "ctr")
    if os.geteuid():
        raise Skip("needs root")
    path, manifest, _ = make_layout()
    with Server() as server, Containerd() as other:
        copy_in(server, path)
        name = f"{HOST}:{server.port}"
        other.ctr("images", "pull", "--plain-http", "--snapshotter", "native", name + "/some/image:one")
        other.ctr("images", "push", "--plain-http", name + "/other/image:two", name + "/some/image:one")
        web = server.client()
        assert web.get("/v2/other/image/manifests/two").body == manifest
        other.ctr("images", "rm", name + "/some/image:one")
        other.ctr("content", "fetch", "--plain-http", name + "/other/image:two")


@test("distribution's pull-through cache has us as its upstream, and serves what it got when we are gone")
def proxied():
    need("docker-registry", "skopeo")
    path, manifest, layers = make_layout()
    root = scratch()
    with Server() as server:
        copy_in(server, path)
        with Distribution(root, {"proxy": {"remoteurl": f"http://{HOST}:{server.port}"}}) as cache:
            out = scratch()
            skopeo("copy", "--src-tls-verify=false", f"docker://{HOST}:{cache.port}/some/image:one", f"oci:{out}:latest")
            assert blobs(out) == blobs(path)
            stored = lambda data: os.path.exists(f"{root}/docker/registry/v2/blobs/sha256/{digest(data)[7:9]}/{digest(data)[7:]}/data")
            wait_until("the cache", lambda: all(stored(data) for data in layers))
            server.stop()
            web = cache.client()
            for layer in layers:
                assert web.get(f"/v2/some/image/blobs/{digest(layer)}").body == layer
            assert web.get(f"/v2/some/image/manifests/{digest(manifest)}").body == manifest


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


if __name__ == "__main__":
    main()
