"""A witness's report as flat fields, `name -> value`, without what differs from run to run: numbers
of namespaces and inodes, order, directories of the host."""
import os
import re

_HOST = {kind: os.readlink(f"/proc/self/ns/{kind}")
         for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]}
# Of a mount's own options those that protect, and of a filesystem's those that a runtime chooses.
_FLAGS = ["ro", "nosuid", "nodev", "noexec"]
_CHOICES = ("size=", "mode=", "gid=", "ptmxmode=")
_KERNEL = ["cgroup", "cgroup2", "devpts", "mqueue", "proc", "sysfs", "tmpfs"]


def _mount(line):
    """A line of mountinfo: where, and what with which flags. Which filesystem of the host holds an
    image's or the runtime's files is nobody's choice here."""
    left, right = line.split(" - ")
    words, (kind, _, data) = left.split(), right.split()[:3]
    whole = words[3] == "/" and kind in _KERNEL
    text = [kind if kind in _KERNEL else "files"]
    text += [",".join(o for o in words[5].split(",") if o in _FLAGS) or "-"]
    text += [",".join(o for o in sorted(data.split(",")) if o.startswith(_CHOICES))] if whole else ["part"]
    text += sorted(w.split(":")[0] for w in words[6:])  # shared, master: propagation
    # Ids are the host's here; those of a pod's range are counted from its start, a multiple of this.
    text = [re.sub(r"gid=(\d+)", lambda m: f"gid={int(m[1]) % 65536}", t) for t in text]
    return words[4], " ".join(t for t in text if t)


def _target(text):
    return re.sub(r":\[\d+\]", "", text)


def flatten(report):
    out = {}
    for key in ["pid", "ppid", "sid", "pgid", "uid", "gid", "pdeathsig", "cwd", "hostname", "controlling_tty",
                "securebits", "argv", "oom_score_adj"]:
        out[key] = report[key]
    out["groups"] = sorted(report["groups"])
    out["interfaces"] = sorted(report["interfaces"])
    out["processes"] = "only itself" if report["processes"] == [report["pid"]] else "others too"
    if out["processes"] == "others too":
        for key in ["pid", "ppid", "sid", "pgid"]:
            del out[key]
    out["cgroup"] = sorted({line.split(":", 2)[2] for line in report["cgroup"]})
    for fd in report["fds"]:
        out[f"fd {fd['fd']}"] = _target(fd["target"])
    for name, value in report["status"].items():
        if name != "NSpid":
            out[f"status {name}"] = value
    for kind, link in report["ns"].items():
        if kind in _HOST:
            out[f"namespace {kind}"] = "the host's" if link == _HOST[kind] else "its own"
    for node in report["dev"]:
        value = node["link"] or f"{node['mode']} {node['rdev']}"
        out[f"dev {node['name']}"] = value
    for line in report["mounts"]:
        where, what = _mount(line)
        out[f"mount {where}"] = what
    for line in report["limits"][1:]:
        name, values = line[:26].strip(), line[26:].split()
        out[f"limit {name}"] = " ".join(values[:2])
    for path, tried in report["paths"].items():
        out[f"read {path}"] = tried["read"] if isinstance(tried["read"], str) else os.strerror(tried["read"])
        out[f"write {path}"] = "ok" if tried["write"] == 0 else os.strerror(tried["write"])
    for name, value in report["sysctl"].items():
        out[f"sysctl {name}"] = value
    for name, error in report["calls"].items():
        out[f"call {name}"] = "ok" if error == 0 else os.strerror(error)
    for variable in report["env"]:
        name, value = variable.split("=", 1)
        out[f"env {name}"] = value
    return out


def differences(ours, theirs):
    """field -> (ours, theirs), of those that differ; None where it is missing."""
    return {field: (ours.get(field), theirs.get(field)) for field in sorted(set(ours) | set(theirs))
            if ours.get(field) != theirs.get(field)}
