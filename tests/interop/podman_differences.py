"""Where a witness that Tank runs may see something else than one that podman runs, and why.

Each entry holds in every case of podman.py, or in those of `only`, or in all `but` some; on every
host, or where `host` is true. `fields` are (field, what Tank has, what podman has), as patterns that
match the whole text; None is a field that is not there. Each must match a difference in each case
that the entry is for.
"""
import os

_HYBRID = not os.path.exists("/sys/fs/cgroup/cgroup.controllers")
_PRIVILEGED = ["privileged", "privileged, as another user"]
_READ_ONLY = ["readOnlyRootFilesystem", "all of it"]
_OTHER_USER = ["runAsUser", "runAsUser and runAsGroup", "an unknown user", "fsGroup", "capabilities: drop, as another user",
               "all of it"]
_OWN_USERS = ["hostUsers: false", "hostUsers: false, as another user", "procMount: Unmasked"]

DIFFERENCES = [
    {"why": "podman says that it is podman, and gives a terminal's name to programs without a terminal",
     "fields": [("env container", "None", "podman"), ("env TERM", "None", "xterm"),
                ("mount /run/.containerenv", "None", "files .*")]},
    {"why": "a workload of Tank's is killed with its shim; podman's is left running",
     "fields": [("pdeathsig", "9", "0")]},
    {"why": "the primary group is also a supplementary one, so that no group that is to be denied access can be dropped "
            "(as Docker and containerd do since CVE-2022-36109); podman does so only for other users than root",
     "but": [*_OTHER_USER, "privileged, as another user", "hostUsers: false, as another user"],
     "fields": [("groups", r"\[0.*\]", r"\[(?!0\b).*\]")]},
    {"why": "supplementalGroupsPolicy is Merge: the image's groups of the user count whatever runAsGroup says; podman's "
            "`--user uid:gid` drops them",
     "only": ["runAsUser and runAsGroup", "all of it"],
     "fields": [("groups", r"\[1500, 2000\]", r"\[2000\]")]},
    {"why": "device nodes of images are dead in Tank's containers without the device cgroup that podman has for it",
     "fields": [("mount /", "files (ro,)?nodev( part)?", "files (ro|-) part")]},
    {"why": "devices that work are mounted one by one on a /dev that allows none; podman's /dev allows all, and its device "
            "cgroup stops them",
     "but": [*_PRIVILEGED, *_OWN_USERS],
     "fields": [("mount /dev", "tmpfs nosuid,nodev .*", "tmpfs nosuid,noexec .*"),
                ("mount /dev/(full|null|random|tty|urandom|zero)", "tmpfs nosuid part", "None")]},
    {"why": "in a user namespace nobody makes device nodes: both bind the host's, Tank with what a device needs no more",
     "only": _OWN_USERS,
     "fields": [("mount /dev", "tmpfs nosuid,nodev .*", "tmpfs nosuid,noexec .*"),
                ("mount /dev/(full|null|random|tty|urandom|zero)", "files ro,nosuid,noexec part", "files - part")]},
    {"why": "podman's streams belong to the host's root there",
     "only": _OWN_USERS, "fields": [("write /dev/std(out|err)", "ok", "Permission denied")]},
    {"why": "a privileged container makes devices in /dev; podman's allows no programs there, Docker's does",
     "only": _PRIVILEGED, "fields": [("mount /dev", "tmpfs nosuid .*", "tmpfs nosuid,noexec .*")]},
    {"why": "the size is Docker's and containerd's 64 MiB; podman counts in thousands",
     "but": ["hostIPC"], "fields": [("mount /dev/shm", ".*size=65536k", ".*size=64000k")]},
    {"why": "files of /etc that Tank makes hold no programs and no devices",
     "fields": [("mount /etc/host(s|name)", "files (ro,)?nosuid,nodev,noexec part", "files (ro|-).* part")],
     "but": _READ_ONLY},
    {"why": "without a network podman makes no resolv.conf, Tank an empty one; where it does, the one above",
     "but": ["hostNetwork"],
     "fields": [("mount /etc/resolv.conf", "files .*", "None"), ("read /etc/resolv.conf", ".*", "No such file.*"),
                ("write /etc/resolv.conf", ".*", "No such file.*")]},
    {"why": "as above, for the file of a container that has a network",
     "only": ["hostNetwork"],
     "fields": [("mount /etc/resolv.conf", "files nosuid,nodev,noexec part", "files - part")]},
    {"why": "podman gives a group without a name one",
     "only": ["all of it"], "fields": [("mount /etc/group", "None", "files .*")]},
    {"why": "what is masked is masked by mounts that allow nothing; podman's leave out some flags that do not matter there",
     "but": [*_PRIVILEGED, "procMount: Unmasked"],
     "fields": [("mount (/proc|/sys)/.*", "(tmpfs|files) ro,nosuid,(nodev,)?noexec.*", "(tmpfs (ro|nosuid,noexec)|files -).*")]},
    {"why": "kubelet masks this since 1.33 (with /sys/devices/virtual/powercap, where there is one); podman 4 does not",
     "but": [*_PRIVILEGED, "procMount: Unmasked"],
     "fields": [("mount /proc/interrupts", "(tmpfs|files) ro,.*", "None"), ("read /proc/interrupts", "nothing", "something")]},
    {"why": "of what is masked by the null device any user may open it for writing",
     "only": [*_OTHER_USER, "capabilities: drop ALL", "capabilities: drop ALL, add one", *_OWN_USERS[:2]],
     "fields": [("write /proc/interrupts", "ok", "Permission denied")]},
    {"why": "podman masks this; kubelet and Docker do not",
     "but": [*_PRIVILEGED, "procMount: Unmasked"], "fields": [("mount /sys/dev/block", "None", "tmpfs ro.*")]},
    {"why": "Tank's /sys is read-only by its mount, podman's also by its filesystem, which answers before permissions do",
     "only": [*_OTHER_USER, *_OWN_USERS], "fields": [("write /sys/.*", "Permission denied", "Read-only file system")]},
    {"why": "podman binds the container's part of each hierarchy of version 1, Tank only for one with limits",
     "host": _HYBRID,
     "fields": [("mount /sys/fs/cgroup", "None", "tmpfs .*"), ("mount /sys/fs/cgroup/.*", "None", "cgroup .*")]},
    {"why": "the kernel counts these for a user, whom a pod may share with the host; podman leaves them as they are",
     "fields": [("limit Max pending signals", "4096 4096", ".*"), ("limit Max msgqueue size", "409600 409600", ".*"),
                ("limit Max locked memory", "4194304 4194304", ".*")]},
    {"why": "a pod without requests and limits is BestEffort: the first that the OOM killer takes",
     "fields": [("oom_score_adj", ".*1000.*", ".*0.*")]},
    {"why": "Docker's fourteen are the default in Kubernetes; podman leaves out AUDIT_WRITE, MKNOD and NET_RAW",
     "only": ["podman's own defaults"],
     "fields": [("status Cap(Bnd|Eff|Prm)", "00000000a80425fb", "00000000800405fb"),
                ("call socket:packet", "ok", "Operation not permitted")]},
    {"why": "podman lets the group of root ping without NET_RAW",
     "only": ["podman's own defaults"], "fields": [("sysctl net/ipv4/ping_group_range", "1\t0", "0\t0")]},
    {"why": "podman's own profile lets programs make user namespaces, and what they need in one",
     "only": ["podman's own defaults"],
     "fields": [("call (unshare|setns|mount|umount2|mount_setattr|open_tree)", "Operation not permitted", "(ok|Bad .*|Invalid .*)"),
                ("call clone3", "Function not implemented", "Invalid argument")]},
    {"why": "podman's own profile lets through keyrings, memory policies, pidfd_getfd and sockets of virtual machines, which "
            "Docker's and Tank's do not",
     "only": ["podman's own defaults"],
     "fields": [("call (keyctl|[gs]et_mempolicy|mbind|socket:vsock)", "Operation not permitted", "ok"),
                ("call pidfd_getfd", "Operation not permitted", "Bad .*")]},
    {"why": "what podman's own profile refuses it refuses with ENOSYS",
     "only": ["podman's own defaults"],
     "fields": [("call (add_key|request_key|io_uring_setup|personality:no_randomize)", "Operation not permitted",
                 "Function not implemented")]},
    {"why": "podman's own profile refuses vmsplice, Docker's and Tank's do not",
     "only": ["podman's own defaults"], "fields": [("call vmsplice", "Bad file.*", "Operation not permitted")]},
]
