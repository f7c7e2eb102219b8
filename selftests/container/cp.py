# SPDX-License-Identifier: GPL-2.0-only
#
# shale cp and export beside docker's: where things go, of both kinds of names, through links and as tars; and that no
# container leads what comes out of it anywhere else.

from beside import *

SETUP = ("mkdir -p /s/d/sub /s/empty; echo f >/s/f; echo deep >/s/d/sub/deep; echo .wh >/s/d/.wh.x; ln -s sub/deep /s/d/link; ln -s d /s/dl; ln -s f /s/fl; "
         "ln -s nosuch /s/broken; chmod 750 /s/d; chmod 4755 /s/f; touch -d '2001-02-03 04:05:06' /s/f; ln /s/d/sub/deep /s/d/hard")


def prepared(name="runs"):
    it = daemon()
    if not it.get(f"/containers/{name}/json").status == 200:
        it.create("sleep", "1000", name=name)
        it.launch(name)
    assert shale(it, "exec", name, "sh", "-c", "rm -rf /s /t; mkdir /t; " + SETUP) == (0, "", "")
    return it


def tree(base):
    """What there is, as text."""
    out = []
    for path, dirs, files in sorted(os.walk(base)):
        for name in sorted(dirs + files):
            one = os.path.join(path, name)
            info = os.lstat(one)
            what = "-> " + os.readlink(one) if os.path.islink(one) else "dir" if os.path.isdir(one) else open(one).read()
            out.append(f"{os.path.relpath(one, base)} {oct(info.st_mode & 0o777)} {what}")
    return "\n".join(out)


def here():
    base = scratch()
    os.makedirs(base + "/d/sub")
    os.makedirs(base + "/dir")
    for name in ("file", "d/sub/deep", "d/.wh.x"):
        with open(f"{base}/{name}", "w") as file:
            file.write(name + "\n")
    os.symlink("sub/deep", base + "/d/link")
    os.symlink("file", base + "/fl")
    os.symlink("dir", base + "/dirl")
    os.link(base + "/d/sub/deep", base + "/d/hard")
    return base


@test("files that come out are called and put as docker's cp does it")
def out():
    it = prepared()
    for source, target in (("/s/f", "new"), ("/s/f", "dir"), ("/s/f", "dir/"), ("/s/f", "dir/other"), ("/s/f", "file"), ("/s/f", "no/such"), ("/s/f", "no/"),
                           ("/s/d", "new"), ("/s/d", "new/"), ("/s/d", "dir"), ("/s/d", "file"), ("/s/d/.", "new"), ("/s/d/.", "dir"), ("/s/d/.", "."), ("/s/d", "."),
                           ("/s/empty", "dir"), ("/s/nosuch", "dir"), ("/s/f", "d/sub"), ("s/f", "new"), ("/s/../s/f", "new"), ("/s/fl", "new"), ("/s/dl", "new"),
                           ("/s/f", "dirl"), ("/s/f", "dirl/x"), ("/s/broken", "new"), ("/s/d/", "new"), ("/s/d/", "dir"), ("/s/dl/", "dir"), ("/s/d", "d/.."), ("/s/f/x", "new")):
        for more in ([], ["-L"]):
            results = []
            for program in (newer_docker() or docker_program(), SHALE):
                base = here()
                done = subprocess.run([program, "-H", "unix://" + it.socket, "cp", *more, "runs:" + source, target], cwd=base, capture_output=True, text=True, timeout=60)
                results.append((done.returncode, tree(base), done.stderr))
            assert results[0][:2] == results[1][:2], (source, target, more, results)
    base = here()
    assert shale(it, "cp", "runs:/s/f", base + "/new")[0] == 0
    info = os.lstat(base + "/new")
    assert info.st_mode == 0o100755 and info.st_mtime == 981173106 and info.st_uid == 0, info


@test("a link to a file that is there is written through, and a directory is not overwritten")
def kept():
    it = prepared()
    base = here()
    assert shale(it, "cp", "runs:/s/f", base + "/fl")[0] == 0 and os.readlink(base + "/fl") == "file" and open(base + "/file").read() == "f\n"
    os.makedirs(base + "/dir/f")
    status, _, errors = shale(it, "cp", "runs:/s/f", base + "/dir")
    assert status == 1 and "cannot overwrite a directory" in errors and os.path.isdir(base + "/dir/f"), errors
    with open(base + "/dir/d", "w") as file:
        file.write("mine")
    status, _, errors = shale(it, "cp", "runs:/s/d", base + "/dir")
    assert status == 1 and "cannot overwrite what is no directory" in errors and open(base + "/dir/d").read() == "mine", errors


@test("files that go in are called and put as docker's cp does it")
def put():
    it = prepared()
    shown = "cd /t; find . | sort | while read n; do echo \"$n $(stat -c %a $n) $(readlink $n)\"; [ -f $n ] && cat $n; done; true"
    for source, target in (("file", "/t/new"), ("file", "/t"), ("file", "/t/"), ("file", "/t/no/such"), ("file", "/t/no/"), ("d", "/t/new"), ("d", "/t"), ("d/.", "/t/new"),
                           ("d/.", "/t"), (".", "/t"), ("d", "/t/f"), ("file", "/t/f"), ("fl", "/t/new"), ("nosuch", "/t"), ("d/sub/..", "/t"), ("file", "t/new"),
                           ("file", "/t/fl"), ("file", "/t/dl"), ("d/sub", "/t/dl")):
        for more in ([], ["-L"]):
            results = []
            base = here()
            for program in (newer_docker() or docker_program(), SHALE):
                shale(it, "exec", "runs", "sh", "-c", "rm -rf /t; mkdir -p /t/d; echo t >/t/f; ln -s f /t/fl; ln -s d /t/dl")
                done = subprocess.run([program, "-H", "unix://" + it.socket, "cp", *more, source, "runs:" + target], cwd=base, capture_output=True, text=True, timeout=60)
                results.append((done.returncode, shale(it, "exec", "runs", "sh", "-c", shown)[1], done.stderr))
            assert results[0][:2] == results[1][:2], (source, target, more, results)
    base = scratch()
    data = os.urandom(5 << 20)
    with open(base + "/big", "wb") as file:
        file.write(data)
    for private in (False, True):
        assert shale(it, "cp", base + "/big", "runs:/t/big", private=private) == (0, "", "")
        assert shale(it, "cp", "runs:/t/big", base + "/back", private=private) == (0, "", "") and open(base + "/back", "rb").read() == data


@test("tars go through standard input and output")
def tars():
    it = prepared()
    done = subprocess.run([SHALE, "-H", "unix://" + it.socket, "cp", "runs:/s/d", "-"], capture_output=True, timeout=60)
    assert done.returncode == 0 and {"d", "d/sub/deep", "d/link"} <= set(tarfile.open(fileobj=io.BytesIO(done.stdout)).getnames())
    assert shale(it, "cp", "-", "runs:/t", input=done.stdout) == (0, "", "")
    assert shale(it, "exec", "runs", "cat", "/t/d/sub/deep")[1] == "deep\n"
    status, _, errors = shale(it, "cp", "-", "runs:/s/f", input=done.stdout)
    assert status == 1 and "must be a directory" in errors, errors
    assert shale(it, "cp", "-", "runs:/t", input=b"no tar" * 200)[0] == 1
    for words in (["cp", "a", "b"], ["cp", "x:a", "y:b"], ["cp", "x:a"], ["export"], ["export", "a", "b"]):
        assert shale(it, *words)[0] == 125, words
    status, _, errors = shale(it, "cp", "runs:/s/nosuch", "x")
    assert status == 1 and "Could not find the file /s/nosuch in container runs" in errors, errors
    assert shale(it, "cp", "nosuch:/s", "x")[0] == 1 and shale(it, "cp", "x", "nosuch:/s")[0] == 1


class Liar(threading.Thread):
    """A daemon whose container is what it likes: it says of each path that it is there, and sends the tar that it has."""

    def __init__(self, tar, name="d", mode=1 << 31 | 0o755):
        super().__init__(daemon=True)
        self.path = scratch() + "/sock"
        self.tar, self.stat = tar, base64.b64encode(json.dumps({"name": name, "mode": mode, "size": 1, "linkTarget": ""}).encode()).decode()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            with sock, sock.makefile("rwb") as file:
                while line := file.readline():
                    while file.readline().strip():
                        pass
                    body = self.tar if line.startswith(b"GET") else b""
                    file.write(f"HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\nX-Docker-Container-Path-Stat: {self.stat}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                    file.flush()


def entries(*rows):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in rows:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o6777
            tar.addfile(info)
    return out.getvalue()


@test("no tar of a container's leads out of the directory it is copied to")
def hostile():
    base = scratch()
    os.mkdir(base + "/out")
    with open(base + "/out/secret", "w") as file:
        file.write("secret")
    directory, link, hard, regular = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE
    for rows in ((("d", directory, ""), ("d/../../out/x", regular, "")), (("../out/x", regular, ""),), ((base + "/out/x", regular, ""),), (("e", regular, ""),), (("d2/x", regular, ""),),
                 (("d", directory, ""), ("d/l", link, base + "/out"), ("d/l/x", regular, "")), (("d", link, base + "/out"), ("d/x", regular, "")),
                 (("d", directory, ""), ("d/l", link, "../../out"), ("d/l/x", directory, "")), (("d", directory, ""), ("d/h", hard, "../out/secret")),
                 (("d", directory, ""), ("d/h", hard, base + "/out/secret")), (("d", directory, ""), ("d/l", link, base + "/out"), ("d/h", hard, "d/l/secret")),
                 (("d", directory, ""), ("d/l", link, base + "/out/secret"), ("d/l", regular, ""))):
        for target in ("in", "in/new"):
            shutil.rmtree(base + "/in", ignore_errors=True)
            os.mkdir(base + "/in")
            liar = Liar(entries(*rows))
            done = subprocess.run([SHALE, "-H", "unix://" + liar.path, "cp", "x:/d", base + "/" + target], capture_output=True, text=True, timeout=60)
            assert os.listdir(base + "/out") == ["secret"] and open(base + "/out/secret").read() == "secret" and os.stat(base + "/out/secret").st_nlink == 1, (rows, target, done)
            assert sorted(os.listdir(base)) == ["in", "out"] and set(os.listdir(base + "/in")) <= {"d", "new"}, (rows, os.listdir(base + "/in"))
    liar = Liar(entries(("d", directory, ""), ("d/suid", regular, "")))
    assert subprocess.run([SHALE, "-H", "unix://" + liar.path, "cp", "x:/d", base + "/in"], timeout=60).returncode == 0
    assert os.stat(base + "/in/d/suid").st_mode & 0o7000 == 0 and os.stat(base + "/in/d").st_mode & 0o6000 == 0
    for tar in (entries(("d", directory, ""), ("d/f", regular, ""))[:700], b"x" * 5000):
        assert subprocess.run([SHALE, "-H", "unix://" + Liar(tar).path, "cp", "x:/d", base + "/in"], capture_output=True, timeout=60).returncode == 1


@test("export writes all files, into a file or not")
def export():
    it = prepared()
    base = scratch()
    assert shale(it, "export", "-o", base + "/x.tar", "runs") == (0, "", "")
    done = subprocess.run([SHALE, "-H", "unix://" + it.socket, "export", "runs"], capture_output=True, timeout=60)
    with open(base + "/x.tar", "rb") as file:
        assert done.returncode == 0 and file.read() == done.stdout
    assert {"bin/busybox", "s/d/sub/deep"} <= set(tarfile.open(base + "/x.tar").getnames())
    assert shale(it, "export", "-o", base + "/y.tar", "nosuch")[0] == 1 and os.listdir(base) == ["x.tar"]
    it.delete("/containers/runs?force=1")
    it.assert_clean()


run()
