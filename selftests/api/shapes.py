# SPDX-License-Identifier: GPL-2.0-only
#
# What dockerd answers, as forms: which keys there are and what can be their values. Taken from what dockerd 20.10 was
# seen to answer a client that speaks 1.41, and from its newer versions where we speak 1.47: those leave out
# VirtualSize, Container and ContainerConfig. Where an answer of ours has more or less, that is said here.

import re

from daemon import ID, TIME

LABELS = (None, dict)
OLD = "1.41"

VERSION = {
    "Platform": {"Name": str},
    "Components": [{"Name": str, "Version": str, "Details": {
        "ApiVersion": {"1.47"}, "Arch": str, "BuildTime": str, "Experimental": {"true", "false"}, "GitCommit": str,
        "GoVersion": str, "KernelVersion": str, "MinAPIVersion": {"1.24"}, "Os": {"linux"}}}],
    "Version": str, "ApiVersion": {"1.47"}, "MinAPIVersion": {"1.24"}, "GitCommit": str, "GoVersion": str,
    "Os": {"linux"}, "Arch": str, "KernelVersion": str, "BuildTime": str,
}

COMMIT = {"ID": str, "Expected": str}
INFO = {
    "ID": str, "Containers": {0}, "ContainersRunning": {0}, "ContainersPaused": {0}, "ContainersStopped": {0},
    "Images": int, "Driver": {"shale", "overlay2", "btrfs", "vfs"}, "DriverStatus": [[str]],
    "Plugins": {"Volume": [str], "Network": [str], "Authorization": None, "Log": [str]},
    "MemoryLimit": bool, "SwapLimit": bool, "KernelMemory": bool, "KernelMemoryTCP": bool, "CpuCfsPeriod": bool,
    "CpuCfsQuota": bool, "CPUShares": bool, "CPUSet": bool, "PidsLimit": bool, "IPv4Forwarding": bool,
    "BridgeNfIptables": bool, "BridgeNfIp6tables": bool, "Debug": bool, "NFd": int, "OomKillDisable": bool,
    "NGoroutines": int, "SystemTime": TIME, "LoggingDriver": str, "CgroupDriver": str, "CgroupVersion": {"1", "2"},
    "NEventsListener": int, "KernelVersion": str, "OperatingSystem": str, "OSVersion": str, "OSType": {"linux"},
    "Architecture": str, "IndexServerAddress": {"https://index.docker.io/v1/"},
    "RegistryConfig": {
        "AllowNondistributableArtifactsCIDRs": list, "AllowNondistributableArtifactsHostnames": list,
        "InsecureRegistryCIDRs": [str],
        "IndexConfigs": {"docker.io": {"Name": {"docker.io"}, "Mirrors": list, "Secure": {True}, "Official": {True}}},
        "Mirrors": list},
    "NCPU": int, "MemTotal": int, "GenericResources": None, "DockerRootDir": str, "HttpProxy": str, "HttpsProxy": str,
    "NoProxy": str, "Name": str, "Labels": [str], "ExperimentalBuild": bool, "ServerVersion": str, "Runtimes": dict,
    "DefaultRuntime": str,
    "Swarm": {"NodeID": str, "NodeAddr": str, "LocalNodeState": {"inactive"}, "ControlAvailable": {False},
              "Error": str, "RemoteManagers": None},
    "LiveRestoreEnabled": bool, "Isolation": str, "InitBinary": str, "ContainerdCommit": COMMIT, "RuncCommit": COMMIT,
    "InitCommit": COMMIT, "SecurityOptions": [str], "Warnings": None,
}

# Descriptor is of versions from 1.48 on; the others need not know it.
SUMMARY = {
    "Containers": int, "Created": int, "Id": ID, "Labels": LABELS, "ParentId": (ID, {""}),
    "RepoDigests": (None, [re.compile(r".+@sha256:[0-9a-f]{64}")]), "RepoTags": (None, [re.compile(".+:.+")]),
    "SharedSize": int, "Size": int, "Descriptor": {"mediaType": str, "digest": ID, "size": int},
}
OLD_SUMMARY = {**SUMMARY, "VirtualSize": int}

RUN = {
    "Hostname": str, "Domainname": str, "User": str, "AttachStdin": bool, "AttachStdout": bool, "AttachStderr": bool,
    "Tty": bool, "OpenStdin": bool, "StdinOnce": bool, "Env": (None, [str]), "Cmd": (None, [str]), "Image": str,
    "Volumes": (None, dict), "WorkingDir": str, "Entrypoint": (None, [str]), "OnBuild": (None, [str]),
    "Labels": LABELS,
}
# Of the layers' directories there are two, since no mount of them is kept.
IMAGE = {
    "Id": ID, "RepoTags": [str], "RepoDigests": [str], "Parent": (ID, {""}), "Comment": str, "Created": TIME,
    "DockerVersion": str, "Author": str, "Config": RUN, "Architecture": str, "Os": {"linux"}, "Size": int,
    "GraphDriver": {"Data": (None, {"UpperDir": str}, {"UpperDir": str, "LowerDir": str}),
                    "Name": {"shale", "overlay2", "btrfs", "vfs"}},
    "RootFS": {"Type": {"layers"}, "Layers": [ID]}, "Metadata": {"LastTagTime": TIME},
}
OLD_IMAGE = {**IMAGE, "VirtualSize": int, "Container": str, "ContainerConfig": RUN}

STEP = {"Comment": str, "Created": int, "CreatedBy": str, "Id": (ID, {"<missing>"}), "Size": int,
        "Tags": (None, [str])}

VOLUME = {"CreatedAt": TIME, "Driver": {"local"}, "Labels": LABELS, "Mountpoint": str, "Name": str,
          "Options": None, "Scope": {"local"}}
DF = {
    "LayersSize": int, "Images": [SUMMARY], "Containers": [dict],
    "Volumes": [{**VOLUME, "UsageData": {"RefCount": int, "Size": int}}], "BuildCache": [dict], "BuilderSize": {0},
    "BlobsSize": int, "DownloadsSize": int,  # not docker's: what it does not keep
}

EVENT = {"status": str, "id": str, "Type": {"image"}, "Action": str,
         "Actor": {"ID": str, "Attributes": {"name": str}}, "scope": {"local"}, "time": int, "timeNano": int}
VOLUME_EVENT = {"Type": {"volume"}, "Action": str, "Actor": {"ID": str, "Attributes": {"driver": {"local"}}},
                "scope": {"local"}, "time": int, "timeNano": int}
