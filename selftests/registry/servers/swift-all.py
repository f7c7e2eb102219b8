# SPDX-License-Identifier: GPL-2.0-only
"""
The four servers of Debian's Swift (account, container, object, proxy) in one process, which starts in a
fraction of the time four take and finds its ports itself: swift-all.py DIR MEMCACHED-PORT. Writes their
configuration and rings below DIR, and DIR/env once they answer. Started by the script swift.
"""
import os
import sys

import eventlet
import eventlet.wsgi
from swift.common import utils, wsgi
from swift.common.ring import RingBuilder

STORAGE = """[DEFAULT]
swift_dir = {dir}
devices = {dir}/devices
mount_check = false
fallocate_reserve = 0
log_level = WARNING
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

# In the order in which s3api's documentation wants them.
FILTERS = """catch_errors gatekeeper healthcheck cache listing_formats tempurl bulk s3api tempauth copy
slo dlo""".split()

OPTIONS = {
    "tempauth": "user_test_tester = testing .admin",
    "cache": "memcache_servers = 127.0.0.1:{cache}",
    "s3api": "location = us-east-1\nstorage_domain = localhost",
}


def proxy_text(directory, cache):
    text = f"[DEFAULT]\nswift_dir = {directory}\nlog_level = WARNING\n"
    text += f"[pipeline:main]\npipeline = {' '.join(FILTERS)} proxy-server\n"
    text += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    text += "allow_account_management = true\n"
    for name in FILTERS:
        egg = "memcache" if name == "cache" else name
        text += f"[filter:{name}]\nuse = egg:swift#{egg}\n{OPTIONS.get(name, '').format(cache=cache)}\n"
    return text


def write_ring(directory, kind, port):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d1", "meta": "",
                     "ip": "127.0.0.1", "port": port,
                     "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance(seed=1)
    builder.get_ring().save(f"{directory}/{kind}.ring.gz")


def serve(directory, kind, text, sock):
    path = f"{directory}/{kind}.conf"
    with open(path, "w") as conf:
        conf.write(text)
    app = wsgi.loadapp(path, global_conf={"log_name": kind})
    # S3's clients want "ETag", not "Etag".
    return eventlet.spawn(eventlet.wsgi.server, sock, app, utils.NullLogger(),
                          protocol=wsgi.SwiftHttpProtocol, capitalize_response_headers=False)


def main():
    directory, cache = sys.argv[1:]
    utils.eventlet_monkey_patch()
    os.makedirs(f"{directory}/devices/d1", exist_ok=True)
    servers = []
    for kind in ("account", "container", "object"):
        sock = eventlet.listen(("127.0.0.1", 0), backlog=1024)
        write_ring(directory, kind, sock.getsockname()[1])
        servers.append(serve(directory, kind, STORAGE.format(dir=directory, kind=kind), sock))
    sock = eventlet.listen(("127.0.0.1", 0), backlog=1024)
    servers.append(serve(directory, "proxy", proxy_text(directory, cache), sock))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    with open(f"{directory}/env.new", "w") as env:
        env.write(f"SWIFT_URL={url}\nSWIFT_AUTH={url}/auth/v1.0\nS3_URL={url}\nSWIFT_CACHE={cache}\n")
    os.rename(f"{directory}/env.new", f"{directory}/env")
    for server in servers:
        server.wait()


main()
