# SPDX-License-Identifier: GPL-2.0-only
#
# Files copied into and out of containers, that run or not, and containers exported; and that no link, path or archive leads out
# of one.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
        machine[0].create("sh", "-c", "sleep 1000", name="runs", HostConfig={"Binds": ["vol:/vol"]})
        machine[0].launch("runs")
        machine[0].create("true", name="idle", HostConfig={"Binds": ["vol:/vol"]})
    return machine[0]


def get(it, name, path):
    """The names in the tar, with the file."""
    answer = it.get(f"/containers/{name}/archive?path=" + urllib.parse.quote(path))
    assert answer.status == 200, (path, answer.body)
    return tarfile.open(fileobj=io.BytesIO(answer.body)), json.loads(base64.b64decode(answer.fields["X-Docker-Container-Path-Stat"]))


def put(it, name, path, tar, query=""):
    return it.ask("PUT", f"/containers/{name}/archive?path={urllib.parse.quote(path)}{query}", tar,
                  {"Content-Type": "application/x-tar"})


@test("docker cp copies files and directories both ways")
def both_ways():
    it = daemon()
    for program in clients():
        for name in ("runs", "idle"):
            base = scratch()
            os.makedirs(base + "/dir/sub")
            data = bytes(range(250)) * 1200
            for path in ("file", "dir/sub/deep"):
                with open(f"{base}/{path}", "wb") as file:
                    file.write(data)
            os.symlink("sub/deep", base + "/dir/link")
            for source, target in ((base + "/file", name + ":/srv/f"), (base + "/dir", name + ":/srv/d"), (base + "/dir", name + ":/srv"),
                                   (name + ":/srv/f", base + "/back"), (name + ":/srv/d", base + "/backdir"), (name + ":/data/.", base + "/in"),
                                   (base + "/file", name + ":/vol/v"), (name + ":/vol/v", base + "/backvol")):
                done = docker(it, "cp", source, target, program=program)
                assert done[0] == 0, (source, target, done)
            for path in ("back", "backdir/sub/deep", "backvol"):
                with open(f"{base}/{path}", "rb") as file:
                    assert file.read() == data, path
            assert os.readlink(base + "/backdir/link") == "sub/deep" and open(base + "/in/seed").read() == "from the image\n"
            assert docker(it, "cp", base + "/nosuch", name + ":/srv", program=program)[0] == 1
            status, _, errors = docker(it, "cp", name + ":/nosuch", base, program=program)
            assert status == 1 and ("Could not find the file" in errors or "No such container:path" in errors), errors
            assert docker(it, "cp", base + "/file", name + ":/srv/d", program=program)[0] == 0
    status, out, _ = docker(it, "exec", "runs", "sh", "-c", "ls /srv /srv/d; wc -c </srv/f; cat /vol/v | wc -c")
    assert out.split().count("300000") == 2 and "deep" not in out, out


@test("what is copied out has its kind, owner, time and name")
def attributes():
    it = daemon()
    docker(it, "exec", "runs", "sh", "-c", "cd /tmp; echo x >f; chown 7:8 f; chmod 4750 f; TZ=UTC touch -d '1970-01-12 13:46:40' f; ln -s /etc/passwd l; mkdir d; : >d/.wh.x")
    tar, stat = get(it, "runs", "/tmp/f")
    info = tar.getmember("f")
    assert (info.uid, info.gid, info.mode, info.mtime, info.size) == (7, 8, 0o4750, 1000000, 2), info
    assert stat["name"] == "f" and stat["size"] == 2 and stat["mode"] == 1 << 23 | 0o750 and stat["mtime"].startswith("1970-01-12T13:46:40"), stat
    tar, stat = get(it, "runs", "/tmp/l")
    assert tar.getmember("l").issym() and stat["linkTarget"] == "/etc/passwd" and stat["mode"] & 1 << 27, stat
    assert set(get(it, "runs", "/tmp/d")[0].getnames()) == {"d", "d/.wh.x"}
    assert "./passwd" in get(it, "runs", "/etc/.")[0].getnames()
    tar, stat = get(it, "runs", "/etc/")
    assert "etc/passwd" in tar.getnames() and stat["name"] == "etc", stat
    answer = it.ask("HEAD", "/containers/runs/archive?path=/tmp/f")
    assert answer.status == 200 and not answer.body and answer.fields["X-Docker-Container-Path-Stat"]
    assert it.get("/containers/runs/archive").status == 400 and it.get("/containers/nosuch/archive?path=/").status == 404


@test("no path and no link leads out of a container")
def no_way_out():
    it = daemon()
    base = scratch()
    with open(base + "/secret", "w") as file:
        file.write("secret")
    docker(it, "exec", "runs", "sh", "-c", f"cd /tmp; ln -s {base} out; ln -s ../../../../../..{base} up; ln -s {base}/secret direct; mkdir in")
    for path in ("/tmp/out/secret", "/tmp/up/secret", f"/../../..{base}/secret", f"/tmp/../../..{base}/secret", f"/proc/1/root{base}/secret",
                 "/proc/self/root" + base + "/secret"):
        assert it.get("/containers/runs/archive?path=" + urllib.parse.quote(path)).status == 404, path
    assert get(it, "runs", "/tmp/direct")[0].getmember("direct").issym()
    for path in ("/tmp/out", "/tmp/up", f"/..{base}"):
        assert put(it, "runs", path, make_tar({"x": b"x"})).status in (400, 404), path

    def entry(name, link=None):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for one, target in [(name, link)] + ([(name + "/x", None)] if link else []):
                info = tarfile.TarInfo(one)
                info.type, info.linkname = (tarfile.SYMTYPE, target) if target else (tarfile.REGTYPE, "")
                tar.addfile(info)
        return out.getvalue()
    for tar in (entry("../../" * 8 + base + "/x"), entry(base + "/x"), entry("s", base), entry("s2", "../" * 12 + base)):
        put(it, "runs", "/tmp/in", tar)
        put(it, "idle", "/tmp", tar)
    assert os.listdir(base) == ["secret"], os.listdir(base)


@test("what cannot be unpacked is refused, and what it was is said")
def refused():
    it = daemon()
    for name in ("runs", "idle"):
        for path, tar, query, text in (("/etc/passwd", make_tar({"x": b"x"}), "", "not a directory"), ("/nosuch", make_tar({"x": b"x"}), "", "Could not find"),
                                       ("/tmp", b"no tar" * 1000, "", ""), ("/", make_tar({"etc": b"x"}), "&noOverwriteDirNonDir=1", "cannot overwrite"),
                                       ("/etc", make_tar({"passwd": None}), "&noOverwriteDirNonDir=1", "cannot overwrite")):
            answer = put(it, name, path, tar, query)
            assert answer.status in (400, 404) and text in answer.message(), (name, path, answer.status, answer.body)
    assert it.ask("PUT", "/containers/nosuch/archive?path=/", make_tar({"x": b"x"})).status == 404


@test("docker export has all files, which make an image that runs")
def export():
    it = daemon()
    docker(it, "exec", "runs", "sh", "-c", "echo x >/srv/exported")
    for name in ("runs", "idle"):
        for program in clients():
            target = scratch() + "/x.tar"
            assert docker(it, "export", "-o", target, name, program=program)[0] == 0
            with tarfile.open(target) as tar:
                names = set(tar.getnames())
                assert "bin/busybox" in names and "data/seed" in names and ("srv/exported" in names) == (name == "runs"), names
                assert not [one for one in names if one.startswith(("proc/", "sys/", "vol/"))], names
        assert docker(it, "import", target, "back:1")[0] == 0
        assert docker(it, "run", "--rm", "back:1", "cat", "/data/seed") == (0, "from the image\n", "")
        it.delete("/images/back:1")


@test("an archive is not read by a program of the container's, whatever it says it is packed with")
def foreign_programs():
    it = daemon()
    # Magic numbers of what libarchive can only read with the help of other programs: lzop, lrzip, grzip.
    packed = (b"\x89LZO\x00\x0d\x0a\x1a\x0a" + bytes(200), b"LRZI\x00\x06" + bytes(200), b"GRZipII\x00\x02\x04:)" + bytes(200))
    words = " ".join(("lzop", "lrzip", "grzip"))
    script = f"for p in {words}; do printf '#!/bin/sh\\ntouch /taken-${{0##*/}}\\n' >/bin/$p; chmod 755 /bin/$p; done; ls /bin/lzop"
    status, out, errors = docker(it, "exec", "runs", "sh", "-c", script)
    assert status == 0 and out == "/bin/lzop\n", (out, errors)
    for body in packed:
        assert put(it, "runs", "/srv", body).status == 400, body[:8]
    status, out, _ = docker(it, "exec", "runs", "sh", "-c", "ls / | grep taken")
    assert status == 1 and not out, out


@test("archives packed with gzip, bzip2, xz and zstd are taken")
def packed():
    it = daemon()
    for kind, name in (("gz", "a"), ("bz2", "b"), ("xz", "c")):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:" + kind) as tar:
            info = tarfile.TarInfo("packed-" + name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
        assert put(it, "runs", "/srv", out.getvalue()).status == 200, kind
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("packed-\u00e9\u4e2d")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    zstd = subprocess.run(["zstd", "-q"], input=out.getvalue(), capture_output=True, check=True)
    assert put(it, "runs", "/srv", zstd.stdout).status == 200
    status, out, _ = docker(it, "exec", "runs", "sh", "-c", "cat /srv/packed-*")
    assert out == "abc" * 4, out


@test("nothing is left")
def end():
    it = daemon()
    assert it.get("/containers/runs/json").json()["State"]["Running"]
    it.delete("/containers/runs?force=1")
    it.delete("/containers/idle")
    it.delete("/volumes/vol")
    it.assert_clean()


run()
