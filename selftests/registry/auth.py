# SPDX-License-Identifier: GPL-2.0-only
#
# Who may do what with a running registry: htpasswd, tokens of another server, the built-in token
# service, the policy. The ways past a token's check are in unit/reg_jwt; here are those past the server
# around it. Real logins and copies are skopeo's.

import base64
import hmac
import http.client
import subprocess
import time
import urllib.parse
import warnings

from registry import *

with warnings.catch_warnings():
    # Python's next Debian has it no more; this one's is the library that the server uses.
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

POLICY = {
    "groups": {"dev": ["bob"]},
    "rules": [
        {"repositories": ["public/**"], "anonymous": True, "actions": ["pull"]},
        {"repositories": ["public/**", "team/**"], "groups": ["dev"], "actions": ["pull", "push"]},
        {"repositories": ["home/{user}/**"], "users": ["*"], "actions": ["*"]},
        {"catalog": True, "users": ["bob"]},
    ],
}
USERS = {"bob": "secret", "eve": "other"}
SECRET = b"a secret of thirty-two bytes and more"

files = scratch()


def hashed(password, rounds=4):
    return crypt.crypt(password, f"$2b${rounds:02}$abcdefghijklmnopqrstuu")


def write(name, text):
    path = f"{files}/{name}"
    with open(path, "w") as file:
        file.write(text)
    return path


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


PASSWORDS = write("htpasswd", "".join(f"{u}:{hashed(p)}\n" for u, p in USERS.items()))
JWKS = write("jwks", json.dumps({"keys": [{"kty": "oct", "kid": "h", "k": b64url(SECRET)}]}))

htpasswd = Server(extra={"auth": {"htpasswd": {"realm": "the realm", "path": PASSWORDS}}, "policy": POLICY})
tokens = Server(extra={
    "auth": {"token": {"service": "reg", "builtin": {"htpasswd": PASSWORDS, "keys": files + "/keys"}}},
    "policy": POLICY,
})
foreign = Server(extra={"auth": {"token": {
    "realm": "https://elsewhere/token", "service": "reg", "issuer": "me", "jwks": JWKS,
    "signingalgorithms": ["HS256", "ES256"],
}}})


def as_user(server, user):
    return server.client(Authorization=basic(user, USERS[user]))


# --- htpasswd

@test("the base asks who is there, and lets in who says so")
def base():
    answer = htpasswd.client().get("/v2/")
    assert answer.status == 401 and answer.code() == "UNAUTHORIZED"
    assert answer["WWW-Authenticate"] == 'Basic realm="the realm"', answer["WWW-Authenticate"]
    assert answer["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert as_user(htpasswd, "bob").get("/v2/").status == 200


@test("a user pushes where the policy allows it, others are told 403, strangers 401")
def push():
    image = as_user(htpasswd, "bob").push_image("team/a", "t")
    assert as_user(htpasswd, "bob").get("/v2/team/a/manifests/t").body == image
    answer = as_user(htpasswd, "eve").get("/v2/team/a/manifests/t")
    assert answer.status == 403 and answer.code() == "DENIED"
    assert as_user(htpasswd, "eve").post("/v2/team/a/blobs/uploads/").status == 403
    assert htpasswd.client().get("/v2/team/a/manifests/t").status == 401
    assert as_user(htpasswd, "eve").post("/v2/home/eve/x/blobs/uploads/").status == 202
    assert as_user(htpasswd, "eve").post("/v2/home/bob/x/blobs/uploads/").status == 403


@test("what is public is pulled without a name, and with an empty one, but not pushed")
def public():
    as_user(htpasswd, "bob").push_image("public/a", "t")
    assert htpasswd.client().get("/v2/public/a/manifests/t").status == 200
    assert htpasswd.client(Authorization="Basic Og==").get("/v2/public/a/manifests/t").status == 200
    assert htpasswd.client(Authorization=basic("bob", "wrong")).get("/v2/public/a/manifests/t").status == 401
    assert htpasswd.client().post("/v2/public/a/blobs/uploads/").status == 401
    assert htpasswd.client().delete("/v2/public/a/manifests/t").status == 401


@test("the catalog is for whom the policy names")
def catalog():
    assert "team/a" in as_user(htpasswd, "bob").get("/v2/_catalog").json()["repositories"]
    assert as_user(htpasswd, "eve").get("/v2/_catalog").status == 403
    assert htpasswd.client().get("/v2/_catalog").status == 401


@test("a wrong password is wrong every time, and a changed one at once")
def changed():
    path = write("changing", f"bob:{hashed('one')}\n")
    with Server(extra={"auth": {"htpasswd": {"realm": "r", "path": path}}}) as server:
        for _ in range(3):
            assert server.client(Authorization=basic("bob", "two")).get("/v2/").status == 401
            assert server.client(Authorization=basic("bob", "one")).get("/v2/").status == 200
        write("changing", f"bob:{hashed('two')}\n")
        assert server.client(Authorization=basic("bob", "one")).get("/v2/").status == 401
        assert server.client(Authorization=basic("bob", "two")).get("/v2/").status == 200


PATHS = ["/v2/", "/v2/_catalog", "/v2/team/a/tags/list", "/v2/team/a/manifests/t", "/v2/team/a/blobs/" + digest(b""),
         "/v2/team/a/referrers/" + digest(b""), "/v2/team/a/blobs/uploads/", "/v2/team/a/blobs/uploads/" + "0" * 36,
         "/v2/_oci/ext/discover", "/v2/team/a/_oci/ext/discover"]


@table("nothing is done without a login", [
    (f"{method}_{number}", method, path) for number, path in enumerate(PATHS)
    for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")])
def closed(method, path):
    for server in (htpasswd, tokens):
        status = server.client().request(method, path).status
        # What no method of the resource is, is said before; what is done needs a login.
        assert status in (401, 405), status


def send(server, line, *fields):
    text = "".join(f"{field}\r\n" for field in (line, "Host: h", *fields, "Connection: close", ""))
    return raw(server.port, text.encode("latin-1")).split(b"\r\n")[0].decode()


ODD = [
    ("dots", "GET /v2/public/../team/a/manifests/t HTTP/1.1"),
    ("dots_encoded", "GET /v2/public/%2e%2e/team/a/manifests/t HTTP/1.1"),
    ("slash_encoded", "GET /v2/public%2f..%2fteam/a/manifests/t HTTP/1.1"),
    ("name_encoded", "GET /v2/team%2fa/manifests/t HTTP/1.1"),
    ("double", "GET /v2//team/a/manifests/t HTTP/1.1"),
    ("double_encoded", "GET /v2/public%252f..%252fteam/a/manifests/t HTTP/1.1"),
    ("backslash", "GET /v2/public\\..\\team/a/manifests/t HTTP/1.1"),
    ("case", "GET /v2/Team/a/manifests/t HTTP/1.1"),
    ("version_case", "GET /V2/team/a/manifests/t HTTP/1.1"),
    ("nul", "GET /v2/team/a%00/manifests/t HTTP/1.1"),
    ("absolute", "GET http://h/v2/team/a/manifests/t HTTP/1.1"),
    ("query", "GET /v2/team/a/manifests/t?x=/v2/public/a HTTP/1.1"),
    ("semicolon", "GET /v2/team/a;public/manifests/t HTTP/1.1"),
    ("slash_last", "GET /v2/team/a/manifests/t/ HTTP/1.1"),
    ("method_case", "get /v2/team/a/manifests/t HTTP/1.1"),
    ("override", "GET /v2/team/a/manifests/t HTTP/1.1", "X-HTTP-Method-Override: GET", "X-Original-URL: /v2/public/a/manifests/t"),
    ("forwarded", "GET /v2/team/a/manifests/t HTTP/1.1", "X-Forwarded-User: bob", "Remote-User: bob"),
    ("empty", "GET /v2/team/a/manifests/t HTTP/1.1", "Authorization:"),
    ("scheme", "GET /v2/team/a/manifests/t HTTP/1.1", "Authorization: Basic"),
    ("none", "GET /v2/team/a/manifests/t HTTP/1.1", "Authorization: Basic Og=="),
    ("bearer", "GET /v2/team/a/manifests/t HTTP/1.1", "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."),
    ("long", "GET /v2/team/a/manifests/t HTTP/1.1", "Authorization: Basic " + "A" * 12000),
]


@table("no spelling of a path or a header gets at what is not public", ODD)
def odd(line, *fields):
    for server in (htpasswd, tokens):
        status = send(server, line, *fields)
        assert " 200 " not in status + " " and " 20" not in status, status
        assert status == "" or status.split()[1][0] == "4", status


# --- tokens of another server

def token(header=None, secret=SECRET, **more):
    now = int(time.time())
    claims = {"iss": "me", "aud": "reg", "sub": "ann", "exp": now + 300, "nbf": now - 5, "access": [], **more}
    parts = [b64url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256", "kid": "h", **(header or {})}, claims)]
    text = ".".join(parts)
    return text + "." + b64url(hmac.digest(secret, text.encode(), "sha256"))


def grant(name, *actions, kind="repository"):
    return {"type": kind, "name": name, "actions": list(actions)}


def bearer(server, text):
    return server.client(Authorization="Bearer " + text)


@test("a challenge names realm, service and scope, for one repository and for two")
def challenge():
    web = foreign.client()
    start = 'Bearer realm="https://elsewhere/token",service="reg"'
    assert web.get("/v2/")["WWW-Authenticate"] == start
    assert web.get("/v2/a/b/tags/list")["WWW-Authenticate"] == start + ',scope="repository:a/b:pull"'
    assert web.put("/v2/a/b/manifests/t", b"{}")["WWW-Authenticate"] == start + ',scope="repository:a/b:pull,push"'
    assert web.delete("/v2/a/b/manifests/t")["WWW-Authenticate"] == start + ',scope="repository:a/b:delete"'
    assert web.get("/v2/_catalog")["WWW-Authenticate"] == start + ',scope="registry:catalog:*"'
    answer = web.post(f"/v2/a/b/blobs/uploads/?mount={digest(b'x')}&from=c/d")
    assert answer["WWW-Authenticate"] == start + ',scope="repository:a/b:pull,push repository:c/d:pull"'


@test("a token does what it grants, and asks for more with insufficient_scope")
def granted():
    text = token(access=[grant("a/b", "pull", "push")])
    bearer(foreign, text).push_image("a/b", "t")
    assert bearer(foreign, text).get("/v2/").status == 200
    assert bearer(foreign, text).get("/v2/a/b/manifests/t").status == 200
    answer = bearer(foreign, text).delete("/v2/a/b/manifests/t")
    assert answer.status == 401 and answer["WWW-Authenticate"].endswith(',error="insufficient_scope"')
    assert bearer(foreign, text).get("/v2/a/c/tags/list").status == 401
    assert bearer(foreign, text).get("/v2/_catalog").status == 401
    every = token(access=[grant("catalog", "*", kind="registry"), grant("a/b", "*")])
    assert bearer(foreign, every).get("/v2/_catalog").status == 200
    assert bearer(foreign, every).delete("/v2/a/b/manifests/t").status == 202


@table("a token that is wrong is told so", [
    ("none", lambda: token({"alg": "none"}).rsplit(".", 1)[0] + "."),
    ("secret", lambda: token(secret=b"another secret of thirty-two bytes")),
    ("issuer", lambda: token(iss="you")),
    ("audience", lambda: token(aud="other")),
    ("expired", lambda: token(exp=int(time.time()) - 120)),
    ("early", lambda: token(nbf=int(time.time()) + 120)),
    ("kid", lambda: token({"kid": "../../../etc/passwd"})),
    ("garbage", lambda: "x"),
])
def wrong(make):
    answer = bearer(foreign, make()).get("/v2/")
    assert answer.status == 401 and answer["WWW-Authenticate"].endswith(',error="invalid_token"'), \
        (answer.status, answer["WWW-Authenticate"])


@test("a token longer than any is not read")
def huge():
    for text in (token(pad="x" * 13000), "x" * 100000):
        status = bearer(foreign, text).get("/v2/").status
        assert status in (400, 401, 413, 431), status


@test("a mount whose source may not be read becomes an upload, and one that may is mounted")
def mount():
    layer = b"mounted"
    bearer(foreign, token(access=[grant("src", "pull", "push")])).push_blob("src", layer)
    path = f"/v2/dst/blobs/uploads/?mount={digest(layer)}&from=src"
    only = token(access=[grant("dst", "pull", "push")])
    both = token(access=[grant("dst", "pull", "push"), grant("src", "pull")])
    assert bearer(foreign, only).post(path).status == 202
    assert bearer(foreign, only).head("/v2/dst/blobs/" + digest(layer)).status == 404
    assert bearer(foreign, token(access=[grant("src", "pull")])).post(path).status == 401
    assert bearer(foreign, only).post(path.replace("&from=src", "")).status == 202
    assert bearer(foreign, both).post(path).status == 201
    assert bearer(foreign, only).get("/v2/dst/blobs/" + digest(layer)).body == layer


# --- the built-in token service

def ask(user=None, method="GET", form=None, **query):
    fields = {"Authorization": basic(user, USERS[user])} if user else {}
    web = tokens.client(**fields)
    if method == "POST":
        return web.post("/auth/token", urllib.parse.urlencode(form).encode(),
                        Content_Type="application/x-www-form-urlencoded")
    return web.get("/auth/token?" + urllib.parse.urlencode({"service": "reg", **query}, doseq=True))


@test("the realm is this server by the name the client used, also behind a proxy that ends TLS")
def realm():
    web = http.client.HTTPConnection(HOST, tokens.port)
    web.request("GET", "/v2/", headers={"Host": "reg.example:5000", "X-Forwarded-Proto": "https"})
    assert web.getresponse().getheader("WWW-Authenticate") == \
        'Bearer realm="https://reg.example:5000/auth/token",service="reg"'


@test("tokens of the service open the door, within the policy")
def service():
    answer = ask("bob", scope=["repository:team/t:pull,push", "repository:other:pull"])
    assert answer.status == 200 and answer["Cache-Control"] == "no-store"
    given = answer.json()
    assert given["token"] == given["access_token"] and given["expires_in"] == 300
    web = bearer(tokens, given["token"])
    web.push_image("team/t", "x")
    assert web.get("/v2/team/t/manifests/x").status == 200
    assert web.get("/v2/other/tags/list").status == 401
    assert ask("bob", scope="repository:team/t:pull").status == 200
    stranger = ask(scope=["repository:team/t:pull", "repository:public/x:pull"]).json()["token"]
    assert bearer(tokens, stranger).get("/v2/team/t/manifests/x").status == 401
    assert bearer(tokens, stranger).get("/v2/public/x/tags/list").status == 404
    assert bearer(tokens, stranger).get("/v2/").status == 200


@test("a wrong password gets no token, a password no resource")
def service_refuses():
    answer = tokens.client(Authorization=basic("bob", "x")).get("/auth/token?service=reg")
    assert answer.status == 401 and answer["WWW-Authenticate"].startswith("Basic realm=")
    assert as_user(tokens, "bob").get("/v2/").status == 401
    assert ask("bob", service="other").status == 400
    assert tokens.client().delete("/auth/token").status == 405


@test("OAuth2: a password gives a refresh token, and that gives tokens")
def oauth():
    form = {"grant_type": "password", "service": "reg", "client_id": "t", "username": "bob", "password": "secret",
            "access_type": "offline", "scope": "repository:team/t:pull"}
    given = ask(method="POST", form=form).json()
    form = {"grant_type": "refresh_token", "service": "reg", "client_id": "t", "refresh_token": given["refresh_token"],
            "scope": "repository:team/t:pull,push registry:catalog:*"}
    second = ask(method="POST", form=form)
    assert second.status == 200, second.body
    assert second.json()["scope"] == "repository:team/t:pull,push registry:catalog:*"
    assert bearer(tokens, second.json()["token"]).get("/v2/_catalog").status == 200
    assert bearer(tokens, given["refresh_token"]).get("/v2/").status == 401
    form["refresh_token"] = given["token"]
    assert ask(method="POST", form=form).json()["error"] == "invalid_grant"
    assert tokens.client().post("/auth/token", b"x" * 70000).status == 413
    assert tokens.client().post("/auth/token", b"a=%zz").status == 400


@test("the public keys are published, and another registry takes the tokens with them")
def published():
    keys = tokens.client().get("/auth/jwks.json")
    assert keys.status == 200 and "d" not in keys.json()["keys"][0]
    path = write("published", keys.body.decode())
    extra = {"auth": {"token": {"realm": "http://x/", "service": "reg", "issuer": "shale-registry", "jwks": path}}}
    with Server(extra=extra) as other:
        text = ask("bob", scope="repository:team/t:pull").json()["token"]
        assert bearer(other, text).get("/v2/").status == 200
        assert bearer(other, text).get("/v2/team/t/tags/list").status == 404
        assert bearer(other, text).get("/v2/team/u/tags/list").status == 401


@test("two servers with one key directory take each other's tokens")
def shared():
    with Server(extra=tokens.config | {"http": {}, "storage": {}}) as other:
        text = ask("bob", scope="repository:team/t:pull").json()["token"]
        assert bearer(other, text).get("/v2/team/t/tags/list").status == 404


@table("a configuration that cannot work is refused at the start", [
    ("two", {"htpasswd": {}, "token": {}}, None, "more than one"),
    ("silly", {"silly": {"realm": "r", "service": "s"}}, None, "auth.silly"),
    ("file", {"htpasswd": {"realm": "r", "path": "/nowhere/htpasswd"}}, None, "/nowhere/htpasswd"),
    ("policy", None, {"rules": [{"repositories": ["a"]}]}, "policy.rules[0]"),
])
def refused(auth, policy, why):
    server = Server(extra={key: value for key, value in (("auth", auth), ("policy", policy)) if value})
    try:
        server.start()
    except AssertionError as error:
        assert why in str(error), error
    else:
        raise AssertionError("the server started")


# --- skopeo

def skopeo(*words, auth):
    return subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "REGISTRY_AUTH_FILE": f"{files}/{auth}", "HOME": files})


def login(server, user, password, auth):
    return skopeo("login", "--tls-verify=false", "-u", user, "-p", password, f"{HOST}:{server.port}", auth=auth)


def copy_to(server, name, auth):
    return skopeo("--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{files}/image:it",
                  f"docker://{HOST}:{server.port}/{name}", auth=auth)


def copy_from(server, name, auth):
    return skopeo("--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{HOST}:{server.port}/{name}",
                  f"dir:{files}/out", auth=auth)


def make_image():
    if not os.path.exists(files + "/image"):
        subprocess.run([TOP + "/selftests/image/mkimage", "--name", "it", files + "/image", "f:a:hello", "rand:b:200000"],
                       check=True)


@table("skopeo logs in, pushes, pulls, and is kept out", [("htpasswd", "htpasswd"), ("token", "tokens")])
def with_skopeo(name):
    server, auth = globals()[name], "auth." + name
    make_image()
    assert login(server, "bob", "wrong", auth).returncode != 0
    assert copy_to(server, "team/s:1", auth).returncode != 0
    done = login(server, "bob", "secret", auth)
    assert done.returncode == 0, done.stderr
    for where in ("team/s:1", "public/s:1"):
        done = copy_to(server, where, auth)
        assert done.returncode == 0, done.stderr
    done = copy_from(server, "team/s:1", auth)
    assert done.returncode == 0, done.stderr
    assert copy_to(server, "elsewhere/s:1", auth).returncode != 0
    done = copy_from(server, "public/s:1", "auth.nobody")
    assert done.returncode == 0, done.stderr
    assert copy_from(server, "team/s:1", "auth.nobody").returncode != 0
    assert copy_to(server, "public/s:2", "auth.nobody").returncode != 0
    tags = skopeo("list-tags", "--tls-verify=false", f"docker://{HOST}:{server.port}/team/s", auth=auth)
    assert json.loads(tags.stdout)["Tags"] == ["1"], tags.stderr
    assert skopeo("logout", f"{HOST}:{server.port}", auth=auth).returncode == 0
    assert copy_from(server, "team/s:1", auth).returncode != 0


if __name__ == "__main__":
    for each in (htpasswd, tokens, foreign):
        each.start()
    as_user(htpasswd, "bob").push_image("team/a", "t")
    main()
