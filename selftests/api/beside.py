# SPDX-License-Identifier: GPL-2.0-only
#
# Two daemons are told the same by docker's client, and asked the same by plain requests: Debian's dockerd, with a root and a
# socket of its own and without a network, and shaled. What both print, byte for byte, and what they answer, field by
# field, is compared; where they differ on purpose that is said in the tables here.

from daemon import *

DOCKER = "/usr/bin/docker"
# What both can be asked in; Debian's speaks no newer one.
OLD = "v1.41"
pair = []


class Dockerd:
    def __init__(self):
        if os.geteuid() or not shutil.which("dockerd"):
            raise Skip("there is no dockerd, or no right to run it")
        self.dir = scratch()
        self.socket = self.dir + "/docker.sock"
        with open(self.dir + "/log", "w") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.dir + "/root", "--exec-root", self.dir + "/exec", "-p", self.dir + "/pid", "-H",
                 "unix://" + self.socket, "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
                 "--bridge=none", "-s", "vfs"], stdout=log, stderr=log)
        Peer.all.append(self)
        wait_until("dockerd to listen", self.is_up, 60)

    def is_up(self):
        assert self.process.poll() is None, open(self.dir + "/log").read()[-2000:]
        try:
            return self.get("/_ping").status == 200
        except OSError:
            return False

    def get(self, path):
        connection = Connection(self.socket)
        try:
            connection.request("GET", path)
            return Answer(connection.getresponse())
        finally:
            connection.close()


def both():
    if not pair:
        pair.extend((Dockerd(), Daemon(storage_driver="vfs")))
    return pair


def told(daemon, words, data, env):
    done = subprocess.run([DOCKER, "-H", "unix://" + daemon.socket, *words], input=data, capture_output=True, timeout=120,
                          env={**os.environ, **env})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# Where they differ on purpose, or because Debian's dockerd is older than what we follow. Ours knows the digest of each image, as
# dockerd does with containerd's store; its words for a filter that is not known are those of today.
# A layer is deleted under its own digest, not that of the chain which ends in it, and none needs to be verified after it came.
ALIKE = ((r"Invalid filter", "invalid filter"), (r"Deleted: sha256:[0-9a-f]{64}", "Deleted"), (r".*: Verifying Checksum\n", ""),
         # What the registry has said is told in other words.
         (r"( not found|repository does not exist or may require 'docker login'): .*", r"\1"))
IMAGE_APART = (r".*RepoDigests", r".*Descriptor", r"GraphDriver\..*", r"Metadata\.LastTagTime")


def plain(text, *patterns):
    for pattern, to in patterns:
        text = re.sub(pattern, to, text)
    return text


def compare(words, *patterns, data=None, env={}):
    """The status and the output of dockerd's, which are shaled's as well. Tags of one image come from dockerd in no order."""
    def sorted_images(text):
        return "\n".join(sorted(text.splitlines())) if words[0] in ("images", "rmi") else text
    wanted, got = ([one[0], plain(sorted_images(one[1]), *ALIKE, *patterns), plain(one[2], *ALIKE, *patterns)] for one in (
        told(daemon, words, data, env) for daemon in both()))
    assert wanted == got, f"docker {' '.join(words)}: dockerd {wanted}, shaled {got}"
    return wanted


def both_refuse(words, data=None):
    """In words of their own."""
    found = [told(daemon, words, data, {}) for daemon in both()]
    assert all(status == 1 and not out and errors for status, out, errors in found), found


def load(names, layers, **more):
    data, ident = make_image(names, layers, **more)
    compare(("load",), data=data)
    return ident


def clear():
    for daemon in both():
        told(daemon, ("rmi", "-f", *set(told(daemon, ("images", "-qa"), None, {})[1].split())), None, {})


def differences(wanted, got, where, apart):
    """Paths of fields whose values differ, without those that are known to."""
    if any(re.fullmatch(pattern, where) for pattern in apart):
        return []
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [one for key in sorted({*wanted, *got})
                for one in differences(wanted.get(key, "no such key"), got.get(key, "no such key"), f"{where}.{key}".lstrip("."), apart)]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [one for i, pair in enumerate(zip(wanted, got)) for one in differences(*pair, f"{where}[{i}]", apart)]
    return [] if wanted == got else [f"{where}: dockerd {wanted!r}, shaled {got!r}"]


IMAGES = (
    (["a:1", "a:2", "other/b:x"], [{"f": b"x" * 5000, "dir": None}, {"g": b"y" * 70000}], {"key": "value"}),
    (["c:latest"], [{"f": b"x" * 5000, "dir": None}], None),
    (["d:1"], [{"big": b"z" * 3000000}], {"key": "other", "more": ""}),
)


def fill():
    """Each of another day: dockerd lists what is equally old in no order."""
    return [load(names, layers, labels=labels, created=f"2024-05-0{day + 1}T07:08:09Z")
            for day, (names, layers, labels) in enumerate(IMAGES)]


@test("loading, and what is said of it")
def loading():
    fill()
    load(["a:1"], [{"f": b"another"}])
    compare(("load", "-q"), data=make_image(["q:1"], [{"f": b"q"}])[0])
    compare(("rmi", "q:1"))
    both_refuse(("load",), b"no archive")
    clear()
    fill()


@table("the same is printed", [
    (" ".join(words) or "images", words) for words in (
        ("images", "--format", "{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}"), ("images", "-q"), ("images", "-a"),
        ("images",), ("images", "--no-trunc"), ("images", "a"), ("images", "a:2"), ("images", "nosuch"), ("images", "-f", "label=key"),
        ("images", "-f", "label=key=other"), ("images", "-f", "dangling=true"), ("images", "-f", "before=d:1", "-q"),
        ("images", "-f", "since=a:1", "-q"), ("images", "-f", "reference=*/b"), ("images", "-f", "nosuch=1"),
        ("images", "--filter", "dangling=maybe"), ("images", "-f", "before=nosuch"),
        ("history", "a:1"), ("history", "--no-trunc", "-q", "a:1"), ("history", "-H=false", "d:1"), ("history", "nosuch"),
        ("image", "inspect", "-f", "{{.Id}} {{.RepoTags}} {{.Size}} {{json .Config}} {{json .RootFS}} {{.Created}}", "a:1"),
        ("inspect", "nosuch"), ("image", "inspect", "nosuch"), ("image", "inspect", "a:1", "nosuch", "-f", "{{.Id}}"),
        ("tag", "nosuch", "x:1"), ("tag", "a:1", "UPPER:1"), ("tag", "a:1", "x:" + "t" * 129), ("tag", "a:1", "new/name:1"), ("rmi", "new/name:1"),
        ("rmi", "nosuch"), ("rmi", "nosuch:1", "nosuch:2"), ("rmi", "-f", "nosuch"), ("tag", "c", "e:1"), ("rmi", "e:1"),
        ("save", "nosuch"), ("export", "nosuch"), ("volume", "inspect", "nosuch"), ("volume", "rm", "nosuch"), ("volume", "rm", "-f", "nosuch"),
        ("volume", "create", "v1"), ("volume", "create", "v1"), ("volume", "create", "--label", "a=b", "v2"), ("volume", "create", "bad/name"),
        ("volume", "create", "-d", "nosuch", "v3"), ("volume", "ls"), ("volume", "ls", "-q"), ("volume", "ls", "-f", "name=v1"),
        ("volume", "ls", "-f", "label=a"), ("volume", "ls", "-f", "dangling=true"), ("volume", "ls", "-f", "nosuch=1"),
        ("volume", "inspect", "-f", "{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}}", "v1", "v2"), ("volume", "rm", "v1", "v2"),
        ("volume", "prune", "-f"), ("image", "prune", "-f"), ("system", "df"), ("ps",), ("ps", "-a"), ("container", "prune", "-f"),
        ("inspect", "--type", "volume", "nosuch"), ("inspect", "--type", "container", "nosuch"), ("logs", "nosuch"), ("rm", "nosuch"),
        ("rm", "-f", "nosuch"), ("stop", "nosuch"), ("start", "nosuch"), ("kill", "nosuch"), ("wait", "nosuch"), ("exec", "nosuch", "true"),
        ("rename", "nosuch", "x"), ("top", "nosuch"), ("diff", "nosuch"), ("commit", "nosuch"), ("cp", "nosuch:/x", "/tmp"), ("port", "nosuch"),
        ("import", "/nosuch"), ("pull", "UPPER"), ("push", "nosuch"), ("push", "127.0.0.1:1/x"),
    )])
def printed(words):
    compare(words)


def answers(path, *apart):
    wanted, got = (daemon.get(f"/{OLD}{path}") for daemon in both())
    assert wanted.status == got.status, (path, wanted.status, wanted.body, got.status, got.body)
    found = differences(*(json.loads(plain(answer.body.decode(), *ALIKE)) for answer in (wanted, got)), "", (*IMAGE_APART, *apart))
    assert not found, f"GET {path}: " + "; ".join(found)


@table("the same is answered", [
    (path, path, apart) for path, apart in (
        ("/images/json", ()), ("/images/json?all=1&digests=1", ()), ("/images/a:1/json", ()),
        ("/images/a:1/history", ()), ("/images/nosuch/history", ()), ("/volumes", (".*CreatedAt", ".*Mountpoint")),
        ("/volumes/nosuch", ()), ("/system/df", ("BlobsSize", "DownloadsSize", "BuildCache")), ("/containers/json", ()), ("/containers/nosuch/json", ()), 
        ("/networks/nosuch", ()), ("/nosuch", ()), ("/containers/nosuch/logs?stdout=1", ()), ("/containers/nosuch/changes", ()),
        ("/images/json?filters={\"nosuch\":[\"1\"]}", ()), ("/exec/nosuch/json", ()),
    )])
def answered(path, apart):
    answers(path, *apart)


@test("version and info have the same fields, and the same values where they speak of the machine")
def about():
    for path, same in (("/version", ("Os", "Arch", "KernelVersion")), ("/info", (
            "Images", "Containers", "MemTotal", "NCPU", "KernelVersion", "OperatingSystem", "OSVersion", "OSType", "Architecture", "Name",
            "Driver", "CgroupDriver", "CgroupVersion", "IndexServerAddress", "LoggingDriver", "MemoryLimit", "SwapLimit", "CPUShares",
            "CPUSet", "PidsLimit", "CpuCfsPeriod", "CpuCfsQuota", "IPv4Forwarding", "Isolation", "GenericResources"))):
        wanted, got = (daemon.get(f"/{OLD}{path}").json() for daemon in both())
        missing = set(wanted) - set(got)
        assert not missing, (path, missing)
        found = [f"{key}: dockerd {wanted[key]!r}, shaled {got[key]!r}" for key in same if wanted[key] != got[key]]
        assert not found, (path, found)


@test("images are tagged, saved and removed alike")
def changed():
    one = fill()[0]
    for words in (("tag", one, "second:1"), ("tag", one[7:19], "third:1"), ("rmi", "a:1"), ("rmi", one), ("rmi", one[7:19]), ("rmi", "-f", one[7:15]),
                  ("rmi", "c", "d:1", "nosuch"), ("images", "-a")):
        compare(words)
    saved = []
    fill()
    for daemon in both():
        done = subprocess.run([DOCKER, "-H", "unix://" + daemon.socket, "save", "a:1", "other/b:x", "d:1"], capture_output=True)
        assert done.returncode == 0, done.stderr
        tar = tarfile.open(fileobj=io.BytesIO(done.stdout))
        manifest = json.load(tar.extractfile("manifest.json"))
        saved.append(sorted((one["Config"].removesuffix(".json").rsplit("/")[-1], sorted(one["RepoTags"]),
                             [digest(tar.extractfile(layer).read()) for layer in one["Layers"]]) for one in manifest))
    assert saved[0] == saved[1], saved


@test("what is imported becomes the same image but for its time")
def imported():
    tar = make_tar({"f": b"x", "dir/g": b"y"})
    ids = [(r"sha256:[0-9a-f]{64}", "ID"), (r'"?Created"?[ :]*"?[0-9T:.Z-]+', "TIME")]
    for words in (("import", "-", "imp:1"), ("import", "-m", "a message", "-c", "CMD [\"sh\"]", "-c", "ENV a=b c=d", "-c", "EXPOSE 80", "-", "imp:2"),
                  ("import", "-c", "LABEL x=y", "-c", "WORKDIR /w", "-c", "USER u:g", "-c", "VOLUME /v", "-c",
                   "ENTRYPOINT e f", "-c", "ONBUILD RUN x", "-c", "HEALTHCHECK CMD true", "-", "imp:3"),
                  ("import", "-", "IMP:4")):
        compare(words, *ids, data=tar)
    for change in ("NOSUCH x", "ENV", "EXPOSE x y/z", "VOLUME"):
        both_refuse(("import", "-c", change, "-", "imp:4"), tar)
    for n in (1, 2, 3):
        compare(("image", "inspect", f"imp:{n}", "-f",
                 "{{json .Config}} {{json .RootFS}} {{.Comment}} {{.Author}} {{.Architecture}} {{.Os}} {{.Size}} {{json .RepoTags}}"))
        compare(("history", "--no-trunc", f"imp:{n}"), (r"sha256:[0-9a-f]{64}", "ID"), (r"(Less than a|About a|\d+) (second|minute)s? ago", "AGE"), (r" {2,}", "  "))
    clear()
    fill()


@test("pushes and pulls are told alike")
def moved():
    peer = Peer()
    name = f"{peer.name}/x"
    # What was loaded dockerd pushes with a manifest of docker's, and shaled with one of OCI's.
    OTHER_MANIFEST = (r"1: digest: sha256:[0-9a-f]{64} size: \d+", "DIGEST")

    # Lines of progress come as the layers do.
    def told_sorted(words):
        found = [(status, sorted(plain(out, *ALIKE, OTHER_MANIFEST).splitlines()), plain(errors, *ALIKE))
                 for status, out, errors in (told(daemon, words, None, {}) for daemon in both())]
        assert found[0] == found[1], f"docker {' '.join(words)}: dockerd {found[0]}, shaled {found[1]}"
    fill()
    compare(("tag", "a:1", name + ":1"))
    one, other = both()
    for daemon in (one, other):
        done = told(daemon, ("push", name + ":1"), None, {})
        assert done[0] == 0, done
    told_sorted(("push", name + ":1"))
    told_sorted(("pull", name + ":1"))
    clear()
    told_sorted(("pull", name + ":1"))
    told_sorted(("pull", name + ":1"))
    told_sorted(("pull", "-q", name + ":1"))
    told_sorted(("pull", name + ":nosuch"))
    told_sorted(("pull", name + "@sha256:" + "0" * 64))
    told_sorted(("pull", peer.name + "/nosuch"))
    told_sorted(("pull", "-a", name))
    answers("/images/json")
    # dockerd does not look into OCI's manifests for that.
    answers("/distribution/" + name + ":1/json", "Platforms")


run()
